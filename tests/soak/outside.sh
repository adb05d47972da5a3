# Waits that a program outside of the run ends: it is started before, and answers after some seconds.

#: reply-of-a-unix-server | python3
python3 -c 'import os, socket
s = socket.socket(socket.AF_UNIX); s.connect(os.environ["OUT_UNIX"]); s.sendall(b"hello\n"); assert s.recv(10)'

#: reply-of-a-tcp-server | python3
python3 -c 'import os, socket
s = socket.create_connection(("127.0.0.1", int(os.environ["OUT_TCP"]))); s.sendall(b"hello\n"); assert s.recv(10)'

#: both-ends-wait-for-one-outside | python3
python3 -c 'import os, socket
a, b = socket.socketpair()
if os.fork() == 0:
    s = socket.create_connection(("127.0.0.1", int(os.environ["OUT_TCP"]))); s.sendall(b"x"); s.recv(9); b.sendall(b"y"); os._exit(0)
b.close(); assert a.recv(9) == b"y"; os.wait()'

#: lock-held-outside | flock
flock "$OUT_LOCK" true

#: lock-held-outside-beside-work | flock
flock "$OUT_LOCK" true & flock "$OUT_LOCK" sleep 1 & wait

#: fifo-written-outside
read -r word < "$OUT_FIFO"; test "$word" = hello

#: touched-outside | inotifywait
inotifywait -q -e attrib -e close_write "$OUT_FILE" >/dev/null

#: polls-for-what-is-made-outside
cp -p "$OUT_FILE" before; until test "$OUT_FILE" -nt before; do sleep 0.5; done

#: http-long-poll | curl
curl -s -m 50 "http://127.0.0.1:$OUT_TCP/" | grep -q late

#: http-long-polls-at-once | curl
for i in $(seq "$N"); do curl -s -m 50 "http://127.0.0.1:$OUT_TCP/$i" > "got.$i" & done; wait
