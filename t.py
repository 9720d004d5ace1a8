import sys
import tty
import termios

old = termios.tcgetattr(0)
tty.setraw(0)
sys.stdout.write("\x1b[?2004hready\r\n")
sys.stdout.flush()
data = b""
while not data.endswith(b"!"):
    data += sys.stdin.buffer.raw.read(1000)
termios.tcsetattr(0, termios.TCSANOW, old)
print("\x1b[?2004l", ascii(data))
