# Servers of the system with clients that work, wait and pause.

#: redis-list-filled-late | redis-server redis-cli
redis-server --port 0 --unixsocket "$PWD/s" --save '' --dir "$PWD" >/dev/null & server=$!
until test -S s; do sleep 0.1; done
(sleep "$P"; redis-cli -s s lpush list x >/dev/null) &
redis-cli -s s blpop list 0 | grep -q x
redis-cli -s s shutdown nosave >/dev/null 2>&1 || true; wait

#: redis-subscribers | redis-server redis-cli
redis-server --port 0 --unixsocket "$PWD/s" --save '' --dir "$PWD" >/dev/null & until test -S s; do sleep 0.1; done
(timeout 30 redis-cli -s s subscribe news | head -4 >/dev/null) &
sleep "$P"; redis-cli -s s publish news one >/dev/null; redis-cli -s s publish news two >/dev/null; redis-cli -s s publish news three >/dev/null
redis-cli -s s shutdown nosave >/dev/null 2>&1 || true; wait

#: redis-under-load-then-idle | redis-server redis-benchmark redis-cli
redis-server --port 0 --unixsocket "$PWD/s" --save '' --dir "$PWD" >/dev/null & until test -S s; do sleep 0.1; done
redis-benchmark -s s -n 500 -q -t get,set >/dev/null; sleep "$P"
redis-cli -s s debug sleep 3 >/dev/null; redis-cli -s s shutdown nosave >/dev/null 2>&1 || true; wait

#: nginx-before-a-slow-backend | nginx python3 curl
python3 -c 'import http.server, os, socketserver, time
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self): time.sleep(float(os.environ["P"])); self.send_response(200); self.end_headers(); self.wfile.write(b"late")
    def log_message(self, *_): pass
    def address_string(self): return ""
class S(socketserver.UnixStreamServer):
    def get_request(self): return (super().get_request()[0], ("", 0))
S("back", H).handle_request()' &
cat > nginx.conf <<EOT
daemon off; pid $PWD/pid; error_log $PWD/log; worker_processes 2; user root;
events {}
http { access_log off; client_body_temp_path $PWD; proxy_temp_path $PWD; fastcgi_temp_path $PWD; uwsgi_temp_path $PWD; scgi_temp_path $PWD;
  server { listen unix:$PWD/front; location / { proxy_pass http://unix:$PWD/back:/; } } }
EOT
until test -S back; do sleep 0.1; done
nginx -p "$PWD" -c "$PWD/nginx.conf" 2>/dev/null & server=$!
until test -S front; do sleep 0.1; done
curl -s --unix-socket front http://x/ | grep -q late; sleep 2
kill -QUIT $server; wait

#: postgres-sessions | postgres-user psql
export PGHOST=$PWD PGUSER=postgres PGDATABASE=postgres; chmod 777 . "$PWD/.."; bin=$(dirname "$POSTGRES")
as() { if test "$(id -u)" = 0; then setpriv --reuid postgres --regid postgres --init-groups env HOME="$PWD" "$@"; else "$@"; fi; }
mkdir data; if test "$(id -u)" = 0; then chown postgres data; fi
flock "$SOAK_CACHE" test -e "$SOAK_CACHE/pg.tar" || { as "$bin/initdb" -D data -A trust -U postgres -N >log 2>&1; tar cf pg.tar data; mv pg.tar "$SOAK_CACHE"; }
test -e data/PG_VERSION || tar xpf "$SOAK_CACHE/pg.tar"
as "$bin/postgres" -D data -k "$PWD" -c listen_addresses= -c fsync=off >/dev/null 2>&1 & server=$!
until psql -qc 'create table t (x int)' 2>/dev/null; do sleep 0.3; done
psql -qc "begin; lock table t; select pg_sleep($P); commit" >/dev/null & sleep 0.5
psql -qc 'insert into t values (1)' &
psql -qc "select pg_advisory_lock(1), pg_sleep($P)" >/dev/null & sleep 0.3; psql -qc 'select pg_advisory_lock(1)' >/dev/null
wait %2 %3 %4; sleep 2.5; kill -INT "$(head -1 data/postmaster.pid)"; wait $server || true

#: postgres-notifies-late | postgres-user psql python3
export PGHOST=$PWD PGUSER=postgres PGDATABASE=postgres; chmod 777 . "$PWD/.."; bin=$(dirname "$POSTGRES")
as() { if test "$(id -u)" = 0; then setpriv --reuid postgres --regid postgres --init-groups env HOME="$PWD" "$@"; else "$@"; fi; }
mkdir data; if test "$(id -u)" = 0; then chown postgres data; fi
flock "$SOAK_CACHE" test -e "$SOAK_CACHE/pg.tar" || { as "$bin/initdb" -D data -A trust -U postgres -N >log 2>&1; tar cf pg.tar data; mv pg.tar "$SOAK_CACHE"; }
test -e data/PG_VERSION || tar xpf "$SOAK_CACHE/pg.tar"
as "$bin/postgres" -D data -k "$PWD" -c listen_addresses= -c fsync=off >/dev/null 2>&1 & server=$!
until psql -qc 'create table t (x int)' 2>/dev/null; do sleep 0.3; done
(echo 'listen news;'; sleep "$P"; echo 'select 1;') | psql -q >/dev/null & (sleep 2; psql -qc "notify news") & 
(echo 'begin; insert into t values (1);'; sleep "$P"; echo 'commit;') | psql -q & wait %2 %3 %4
kill -INT "$(head -1 data/postmaster.pid)"; wait $server || true

#: memcached-and-idle-clients | memcached python3
memcached -s "$PWD/s" -u root -t 2 & server=$!; until test -S s; do sleep 0.1; done
python3 -c 'import os, socket, time
c = socket.socket(socket.AF_UNIX); c.connect("s"); time.sleep(float(os.environ["P"])); c.sendall(b"version\r\n"); assert c.recv(99)'
kill $server; wait $server || true

#: lighttpd-as-the-last-child | lighttpd curl
printf 'server.document-root = "%s"\nserver.bind = "%s/s"\nserver.errorlog = "%s/log"\n' "$PWD" "$PWD" "$PWD" > l.conf; echo hi > index
lighttpd -D -f l.conf & server=$!; until test -S s; do sleep 0.1; done
curl -s --unix-socket s http://x/index >/dev/null; sleep "$P"; curl -s --unix-socket s http://x/index | grep -q hi
kill $server; wait $server || true

#: tokio-service-under-load | soak-service
"$SOAK_SERVICE" tokio-service "$P"

#: ssh-agent-around-a-command | ssh-agent
ssh-agent sh -c "sleep $P; true"

#: ssh-agent-in-the-background | ssh-agent ssh-add
eval "$(ssh-agent)" >/dev/null; sleep "$P"; ssh-add -l >/dev/null || true; ssh-agent -k >/dev/null

#: git-credential-daemon | git
export HOME=$PWD; git config --global credential.helper 'cache --timeout=60'
printf 'protocol=https\nhost=example.org\nusername=a\npassword=b\n\n' | git credential approve
sleep "$P"; printf 'protocol=https\nhost=example.org\n\n' | git credential fill | grep -q password=b; git credential-cache exit

#: session-bus | dbus-run-session dbus-monitor dbus-send
dbus-run-session -- sh -c "timeout 30 dbus-monitor --session interface=org.example.X >/dev/null & sleep $P; dbus-send --session /a org.example.X.Y; sleep 1; kill \$!; wait; true" 2>/dev/null

#: tmux-waits-for-a-channel | tmux
tmux -S "$PWD/s" -f /dev/null new-session -d "sleep $P; tmux -S '$PWD/s' wait-for -S done; sleep 1"
tmux -S "$PWD/s" wait-for done; sleep 1.5; tmux -S "$PWD/s" kill-server 2>/dev/null || true

#: gpg-agent-idle | gpg-agent gpgconf
export GNUPGHOME=$PWD/g; mkdir -m 700 g; gpg-agent --homedir "$GNUPGHOME" --daemon sh -c "sleep $P"; gpgconf --kill gpg-agent || true
