#!/bin/sh
# Runs a command with a RabbitMQ server of its own on loopback, whose address is in TEST_BROKER_URL, and ends the server
# with it. The server is the distribution's: apt-get install rabbitmq-server. RABBITMQ_CTL says how to reach it.
#
#   scripts/with-rabbitmq.sh COMMAND...
set -eu

programs=/usr/lib/rabbitmq/bin
if [ ! -x "$programs/rabbitmq-server" ]; then
    echo "RabbitMQ is not installed. On Debian and Ubuntu: apt-get install rabbitmq-server" >&2
    exit 1
fi

folder=$(mktemp -d)
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
export HOME="$folder"  # the cookie that lets rabbitmqctl in
export RABBITMQ_NODENAME="switchyard-$port@localhost" RABBITMQ_NODE_PORT="$port" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
export RABBITMQ_MNESIA_BASE="$folder/data" RABBITMQ_LOG_BASE="$folder/logs" RABBITMQ_PID_FILE="$folder/pid"
export RABBITMQ_CONFIG_FILE="$folder/none" RABBITMQ_ENABLED_PLUGINS_FILE="$folder/plugins"
RABBITMQ_DIST_PORT=$(free_port)
ERL_EPMD_PORT=$(free_port)
export RABBITMQ_DIST_PORT ERL_EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
export RABBITMQ_CTL="$programs/rabbitmqctl"

end() {
    "$RABBITMQ_CTL" shutdown --timeout 20 >/dev/null 2>&1 || kill "$server" 2>/dev/null || true
    epmd -kill >/dev/null 2>&1 || true
    rm -rf "$folder"
}
"$programs/rabbitmq-server" >"$folder/output" 2>&1 &
server=$!
trap end EXIT
trap 'exit 130' INT TERM
"$RABBITMQ_CTL" wait --timeout 60 "$RABBITMQ_PID_FILE" >/dev/null || { cat "$folder/output" >&2; exit 1; }

TEST_BROKER_URL="amqp://guest:guest@127.0.0.1:$port//" "$@"
