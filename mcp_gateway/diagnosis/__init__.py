"""What `doctor` looks at: this machine, the services the gateway uses, and the hosts that use the gateway."""
