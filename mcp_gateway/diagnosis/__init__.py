"""What `doctor` looks at: this machine, the services the gateway uses, and the clients that use the gateway."""
