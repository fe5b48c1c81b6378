#!/bin/sh
# Builds the images of docker-compose.yml and runs the whole stack with podman, as root, on a machine that may reach no
# registry of images; shows that it works, and takes everything away again.
#
#   deploy/try-with-podman.sh            everything, about ten minutes and 8 GB, most of them given back at the end
#   KEEP=1 deploy/try-with-podman.sh     leaves it running, for a look around; KEEP=0 once more takes it away
#    BUILD=0 deploy/try-with-podman.sh     with the images that are there
#
# Needs on Debian or Ubuntu: apt-get install --no-install-recommends podman runc netavark aardvark-dns iptables catatonit
# uidmap debootstrap, and a Python 3.11 with which pip reaches packages (PYTHON=python3.11).
# The images that the Dockerfile and the compose file name are stood in for by one Debian bookworm with its own Python,
# Redis, PostgreSQL and Caddy, unless PULL=1 has the real ones pulled.
set -eu
cd "$(dirname "$0")/.."

work=${WORK:-/var/tmp/switchyard-podman}
python=${PYTHON:-python3.11}
port=${PORT:-18080}
mkdir -p "$work"
say() { printf '\n== %s\n' "$*"; }

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
compose() {
    "$work/tools/bin/podman-compose" --env-file "$work/env" --podman-run-args=--ulimit=host \
        --podman-build-args="--isolation=chroot --volume $work/wheels:/wheels:ro" "$@"
}
containers() { podman ps --filter "label=io.podman.compose.project=switchyard" "$@"; }
remove_containers() { # with what was added by --scale, which `compose down` forgets
    containers --all --quiet | xargs -r podman rm --force --time 10 >/dev/null 2>&1
    podman volume prune --force >/dev/null 2>&1
}
take_away() {
    say "Taking everything away"
    remove_containers
    podman system reset --force >/dev/null 2>&1 || true
    rm -rf "$work/storage" "$work/run" "$work/root" "$work/wheels" "$work/env"
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
    rm -rf "$work/root"
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
count_of() { containers --format '{{.Names}}' | grep -c "_$1_"; }
has() { [ "$(count_of "$1")" -eq "$2" ]; }

case ${KEEP:-} in 0) take_away; exit 0 ;; 1) ;; *) trap take_away EXIT; trap 'exit 130' INT TERM ;; esac

cat > "$work/env" <<END
SECRET_KEY=$(head -c 48 /dev/urandom | base64 | tr -d '\n')
ALLOWED_ORIGINS=http://localhost:$port
SITE_ADDRESSES=:8080
HTTP_PORT=127.0.0.1:$port
HTTPS_PORT=127.0.0.1:$((port + 1))
POSTGRES_PASSWORD=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
REDIS_PASSWORD=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
END

mkdir -p "$work/wheels"
[ "${BUILD:-}" = 0 ] || build
podman images --filter reference='switchyard-*' --format '{{.Repository}} {{.Size}}'
say "The web image has no torch, the worker image has it"
podman run --rm --ulimit host localhost/switchyard-web python -c \
    'from importlib.util import find_spec; import os; assert not find_spec("torch"); print("web: no torch, user", os.getuid())'
podman run --rm --ulimit host localhost/switchyard-worker python -c \
    'from importlib.util import find_spec; import os; assert find_spec("torch"); print("worker: torch, user", os.getuid())'

say "Start"
# In the order that docker compose takes from `depends_on`, because podman 4 knows neither "healthy" nor "completed".
processes=$(sed "s/:.*//" Procfile)
remove_containers # of a try before, whose passwords were others
compose up -d --no-deps postgres redis
for service in postgres redis; do wait_for 60 "$service" is_healthy "$service"; done
compose run --rm --no-deps setup
# shellcheck disable=SC2086  (a list)
compose up -d --no-deps $processes proxy
for service in $processes proxy; do
    wait_for 300 "$service" is_healthy "$service"
    echo "$service is healthy"
done

say "Through the proxy"
page=$(wget -q -S -O - "http://localhost:$port/sign-in/" 2>&1)
printf '%s\n' "$page" | grep -E 'HTTP/|Content-Security-Policy|<title>'
wget -q -S -O /dev/null "http://localhost:$port/metrics" 2>&1 | grep HTTP/ || true
link=$(compose exec -T web python manage.py sign_in_link | tail -1)
"$work/tools/bin/python" deploy/ask_over_socket.py "$link"

say "Four remote workers, two web processes"
compose up -d --no-deps --scale worker-remote=4 worker-remote
compose up -d --no-deps --scale web=2 web
wait_for 60 "four remote workers" has worker-remote 4
wait_for 120 "the new workers" is_healthy worker-remote
wait_for 120 "the new web process" is_healthy web
compose exec -T web python manage.py shell -c 'from workers import presence
serving = [process.name for process in presence.processes() if process.serves("remote")]
print("they say themselves that they serve the queue remote:", *serving)
assert len(serving) == 4'
"$work/tools/bin/python" deploy/ask_over_socket.py "$(compose exec -T web python manage.py sign_in_link | tail -1)"

say "Stop: processes first, then what they need, as docker compose does"
began=$(date +%s)
containers --format '{{.Names}}' | grep -v -e postgres -e redis | xargs -P 20 -n 1 podman stop --time 30 >/dev/null
echo "the processes stopped in $(($(date +%s) - began)) s"
compose stop --timeout 60 redis postgres >/dev/null
containers --all --format '{{.Names}} {{.Status}}'
! containers --all --format '{{.Status}}' | grep -F 'Exited (137)' # that is, killed
