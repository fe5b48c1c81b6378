#!/bin/sh
# Builds the images of docker-compose.yml and runs the whole stack with podman, as root, on a machine that may reach no
# registry of images; uses it as people do (`visit.py`), scales it and stops it; takes everything away again. The last line
# says PASSED, or at what it FAILED.
#
#   deploy/try-with-podman.sh             everything, about ten minutes and 8 GB, most of them given back at the end
#   KEEP=1 deploy/try-with-podman.sh      leaves it there, for a look around; KEEP=0 once more takes it away
#   BUILD=0 deploy/try-with-podman.sh     with the images that are there
#
# Needs on Debian or Ubuntu: apt-get install --no-install-recommends podman runc netavark aardvark-dns iptables catatonit
# uidmap debootstrap, and a Python 3.11 with which pip reaches packages (PYTHON=python3.11).
# The images that the Dockerfile and the compose file name are stood in for by one Debian bookworm with its own Python,
# Redis, PostgreSQL and Caddy, unless PULL=1 has the real ones pulled.
# shellcheck disable=SC2032,SC2033
set -eu
cd "$(dirname "$0")/.."

work=${WORK:-/var/tmp/switchyard-podman}
python=${PYTHON:-python3.11}
port=${PORT:-18443}
mkdir -p "$work"
say() { step=$*; printf '\n== %s\n' "$step"; }

# --- podman, with its storage in a folder of its own --------------------------------------------------------------------
cat > "$work/containers.conf" <<END
[containers]
default_ulimits=[]
[network]
network_backend="netavark"
[engine]
cgroup_manager="cgroupfs"
runtime="runc"
END
cat > "$work/storage.conf" <<END
[storage]
driver="overlay"
graphroot="$work/storage"
runroot="$work/run"
END
export CONTAINERS_CONF="$work/containers.conf" CONTAINERS_STORAGE_CONF="$work/storage.conf"
[ -x "$work/tools/bin/podman-compose" ] ||
    { "$python" -m venv "$work/tools" && "$work/tools/bin/pip" install --quiet podman-compose==1.6.0 websockets; }
# Without systemd it would complain of that for every container.
podman() { command podman --log-level fatal "$@"; }
compose() {
    "$work/tools/bin/podman-compose" --podman-args="--log-level fatal" --env-file "$work/env" --podman-run-args=--ulimit=host \
        --podman-build-args="--isolation=chroot --volume $work/wheels:/wheels:ro" "$@"
}
containers() { podman ps --filter "label=io.podman.compose.project=switchyard" "$@"; }
remove_containers() { # with what was added by --scale, which `compose down` forgets
    { containers --all --quiet; podman ps --all --quiet --filter name=upstream; } |
        xargs -r podman --log-level fatal rm --force --time 10 >/dev/null 2>&1
    podman volume prune --force >/dev/null 2>&1
}
take_away() {
    say "Taking everything away"
    remove_containers
    podman system reset --force >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work/storage" "$work/run" "$work/root" "$work/wheels" "$work/env"
}

# --- what registries would have -----------------------------------------------------------------------------------------
image_of() { sed -n "s/^FROM \($1[^ ]*\).*/\1/p; s/^ *image: \($1:[^ ]*\).*/\1/p" deploy/Dockerfile docker-compose.yml | head -1; }
stand_in() { # NAME, then a Dockerfile on standard input
    podman build --quiet --isolation=chroot --tag "docker.io/library/$(image_of "$1")" - >/dev/null
}
import_debian() {
    [ -d "$work/root/var" ] || debootstrap --variant=minbase bookworm "$work/root" >/dev/null
    printf '#!/bin/sh\nexit 101\n' > "$work/root/usr/sbin/policy-rc.d" # nothing is started while packages are installed
    chmod +x "$work/root/usr/sbin/policy-rc.d"
    chroot "$work/root" sh -c 'export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -qq -y \
        --no-install-recommends python3 python3-venv redis-server postgresql-15 caddy wget ca-certificates && apt-get clean' \
        >/dev/null
    tar -C "$work/root" -c . | podman import --quiet - localhost/debian >/dev/null
    rm -rf --one-file-system "$work/root"
}
stand_ins() {
    say "One Debian stands in for Python, Redis, PostgreSQL and Caddy"
    podman image exists localhost/debian || import_debian
    stand_in python <<'END'
FROM localhost/debian
RUN ln -s /usr/bin/python3 /usr/local/bin/python
END
    stand_in redis <<'END'
FROM localhost/debian
RUN install -d -o redis /data
WORKDIR /data
END
    stand_in caddy <<'END'
FROM localhost/debian
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
RUN mkdir -p /config/caddy /data/caddy
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
END
    stand_in postgres <<'END'
FROM localhost/debian
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
RUN install -d -o postgres "$PGDATA" && printf '%s\n' '#!/bin/sh' 'set -eu' 'if [ ! -s "$PGDATA/PG_VERSION" ]; then' \
    'echo "$POSTGRES_PASSWORD" > /tmp/password' \
    'initdb -U "$POSTGRES_USER" --pwfile /tmp/password -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >/dev/null' \
    'echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"' \
    'echo "create database $POSTGRES_DB" | postgres --single -D "$PGDATA" postgres >/dev/null; fi' \
    'exec "$@" -c listen_addresses="*"' > /start && chmod +x /start
ENTRYPOINT ["/start"]
END
}

download() {
    say "Packages, and async-timeout, which redis asks of Debian's Python 3.11.2"
    done="$work/wheels/done-$(cat pyproject.toml constraints.txt | cksum | cut -d ' ' -f 1)"
    [ ! -e "$done" ] || return 0
    "$python" -m venv "$work/pip"
    "$work/pip/bin/pip" install --quiet --upgrade 'pip>=25.1'
    "$work/pip/bin/pip" download --quiet --group worker -c constraints.txt pip async-timeout -d "$work/wheels"
    touch "$done"
}
build() {
    [ "${PULL:-}" = 1 ] || stand_ins
    download
    say "Images"
    # One service of each image, one after the other: podman-compose builds at once for every service, and shares nothing.
    for service in web setup proxy; do
        compose build --build-arg PIP_NO_INDEX=1 --build-arg PIP_FIND_LINKS=/wheels "$service"
    done
}

# --- the try ------------------------------------------------------------------------------------------------------------
wait_for() { # SECONDS WHAT COMMAND...
    seconds=$1 what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        seconds=$((seconds - 1))
        [ "$seconds" -gt 0 ] || { say "Waited in vain for $what"; compose logs --tail 30; exit 1; }
        sleep 1
    done
}
# Without systemd nobody runs health checks but us.
is_healthy() {
    has "$1" 0 && return 1
    for name in $(containers --format '{{.Names}}' | grep "_$1_"); do podman healthcheck run "$name" || return 1; done
}
must_fail() { # COMMAND...
    if "$@"; then echo "This should not have worked: $*"; exit 1; fi
}
count_of() { containers --format '{{.Names}}' | grep -c "_$1_"; }
has() { [ "$(count_of "$1")" -eq "$2" ]; }

finish() {
    status=$? at=$step
    [ "${KEEP:-}" = 1 ] || take_away
    if [ "$status" = 0 ]; then say "PASSED"; else say "FAILED at: $at"; fi
}
[ "${KEEP:-}" != 0 ] || { take_away; exit 0; }
trap finish EXIT
trap 'exit 130' INT TERM

tokens=600 # of a remote answer, ten a second: it is being written while workers come and go
cat > "$work/env" <<END
SECRET_KEY=$(head -c 48 /dev/urandom | base64 | tr -d '\n')
ALLOWED_ORIGINS=https://localhost:$port
SITE_ADDRESSES=https://localhost
HTTP_PORT=127.0.0.1:$((port + 1))
HTTPS_PORT=127.0.0.1:$port
POSTGRES_PASSWORD=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
REDIS_PASSWORD=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
OPENAI_BASE_URL=http://upstream:9100/v1
OPENAI_MODEL=itl100-n$tokens
PROVIDER_PRIVATE_HOSTS=upstream:9100
METRICS_TOKEN=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
END

mkdir -p "$work/wheels"
[ "${BUILD:-}" = 0 ] || build
say "The web image has no torch, the worker image has it"
podman images --filter reference='switchyard-*' --format '{{.Repository}} {{.Size}}'
has_torch='from importlib.util import find_spec; raise SystemExit(not find_spec("torch"))'
must_fail podman run --rm --ulimit host localhost/switchyard-web python -c "$has_torch" 2>/dev/null
podman run --rm --ulimit host localhost/switchyard-worker python -c "$has_torch"

say "Start"
# In the order that docker compose takes from `depends_on`, because podman 4 knows neither "healthy" nor "completed".
processes=$(sed "s/:.*//" Procfile)
remove_containers # of a try before, whose passwords were others
began=$(date +%s)
compose up -d --no-deps postgres redis
for service in postgres redis; do wait_for 60 "$service" is_healthy "$service"; done
podman run --detach --name upstream --ulimit host --network switchyard_inside --volume "$PWD/bench:/app/bench:ro" \
    localhost/switchyard-web python -m bench.upstream --host 0.0.0.0 >/dev/null
compose run --rm --no-deps setup
# shellcheck disable=SC2086
compose up -d --no-deps $processes proxy
for service in $processes proxy; do
    wait_for 300 "$service" is_healthy "$service"
    echo "$service is healthy after $(($(date +%s) - began)) s"
done

say "Nobody is root or has capabilities, and no file system but PostgreSQL's can be written"
for name in $(containers --format '{{.Names}}'); do
    must_fail [ "$(podman exec "$name" id -u)" = 0 ]
    podman exec "$name" grep -q 'CapEff:.0*$' /proc/self/status
    case $name in *_postgres_*) ;; *) podman exec "$name" grep -q '^[^ ]* / [^ ]* ro,' /proc/mounts ;; esac
done
podman exec switchyard_worker-local_1 touch /models/kept # what is downloaded
podman stats --no-stream --format '{{.Name}} {{.MemUsage}}'

say "Through the proxy, over TLS"
podman exec switchyard_proxy_1 cat /data/caddy/pki/authorities/local/root.crt > "$work/root.crt"
get() { wget -q -S -O - --ca-certificate "$work/root.crt" "https://localhost:$port$1" 2>&1; }
page=$(get /sign-in/)
printf '%s\n' "$page" | grep -E 'HTTP/|Content-Security-Policy|Strict-Transport|<title>'
get /metrics | grep 'HTTP/.* 404'
compose exec -T web python -c 'import os, urllib.request
asked = urllib.request.Request("http://127.0.0.1:8000/metrics", headers={"Authorization": "Bearer " + os.environ["METRICS_TOKEN"]})
print(urllib.request.urlopen(asked).read().decode())' > "$work/metrics"
for process in $processes; do
    queue=${process#worker-}
    [ "$queue" = "$process" ] ||
        grep "switchyard_queue_jobs{queue=\"$queue\",state=\"waiting\"}" "$work/metrics" # what Kubernetes scales by
done
visit() { # WHAT...
    SSL_CERT_FILE=$work/root.crt "$work/tools/bin/python" deploy/visit.py \
        "$(compose exec -T web python manage.py sign_in_link | tail -1)" "$@"
}
visit summary

say "A file, read by worker-files; everything exported, and imported by worker-background"
visit file
visit move

say "Four remote workers and two web processes, while an answer is being written"
visit stream "$tokens" > "$work/answer" &
asking=$!
wait_for 120 "the first token" grep -q begins "$work/answer"
compose up -d --no-deps --scale worker-remote=4 worker-remote
wait_for 60 "four remote workers" has worker-remote 4
wait_for 300 "the new workers" is_healthy worker-remote
compose exec -T web python manage.py shell --verbosity 0 -c 'from workers import presence
serving = [process for process in presence.processes() if process.serves("remote")]
print("they say themselves that they serve the queue remote:", *(process.name for process in serving))
assert len(serving) == 4'
wait "$asking"
cat "$work/answer"
compose up -d --no-deps --scale web=2 web
wait_for 300 "the new web process" is_healthy web
visit summary

say "The worker that writes an answer is stopped: another one writes it"
visit stream "$tokens" > "$work/answer" &
asking=$!
wait_for 120 "the first token" grep -q begins "$work/answer"
note_writer() {
    compose exec -T web python manage.py shell --verbosity 0 -c 'from workers import presence
for process in presence.processes():
    if process.running and process.serves("remote"):
        print(process.name.partition(":")[0])' > "$work/writer" && [ -s "$work/writer" ]
}
wait_for 60 "a worker that says that it writes" note_writer
podman stop --time 30 "$(cat "$work/writer")"
wait "$asking"
cat "$work/answer"

say "Stop: processes first, then what they need, as docker compose does"
began=$(date +%s)
containers --format '{{.Names}}' | grep -v -e postgres -e redis | xargs -P 20 -n 1 podman --log-level fatal stop --time 30 >/dev/null
echo "the processes stopped in $(($(date +%s) - began)) s"
compose stop --timeout 60 redis postgres >/dev/null
containers --all --format '{{.Names}} {{.Status}}'
containers --all --format '{{.Status}}' > "$work/status"
must_fail grep -F 'Exited (137)' "$work/status" # that is, killed
