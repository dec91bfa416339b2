#!/bin/sh
# Everything that `docker compose up` needs and that may be in no repository: secrets, the settings in .env, the folder
# for backups. Made once and never overwritten: run it again whenever something may be missing.
#
#   sh deploy/prepare.sh sim    [DOMAIN]    to try it out: simulated homes and phones, a self-signed authority
#   sh deploy/prepare.sh twilio  DOMAIN     for real: your certificates, your Twilio account
#
# Secrets are readable within a folder that only you may enter: containers run as other users, and each is given its
# own files only.
set -eu
cd "$(dirname "$0")/.."
umask 077

phones=${1:-} domain=${2:-localhost}
case $phones:$# in
sim:[12] | twilio:2) ;;
*) echo "usage: sh deploy/prepare.sh sim [DOMAIN] | twilio DOMAIN" >&2; exit 2 ;;
esac

secrets=deploy/secrets
mkdir -p "$secrets/sim" "$secrets/twilio" deploy/backup/postgres/wal deploy/backup/postgres/base
chmod 700 "$secrets" deploy/backup
# Their parent is closed. PostgreSQL's user in the container is not ours.
chmod 755 "$secrets/sim" "$secrets/twilio" deploy/backup/postgres
chmod 777 deploy/backup/postgres/wal deploy/backup/postgres/base

# Whatever the umask was when this was cloned: containers run as other users.
chmod -R a+rX deploy/postgres deploy/proxy dashboards

random() { od -An -v -tx1 -N "$1" /dev/urandom | tr -d ' \n'; }

# keep NAME TEXT: a secret of that name, if there is none.
keep() {
    [ -e "$secrets/$1" ] || printf '%s\n' "$2" >"$secrets/$1.new"
    [ ! -e "$secrets/$1.new" ] || mv "$secrets/$1.new" "$secrets/$1"
    chmod 444 "$secrets/$1"
}

keep postgres_superuser "$(random 24)"
keep postgres_pingan "$(random 24)"
keep database_url "postgresql://pingan:$(cat "$secrets/postgres_pingan")@timescaledb:5432/pingan"
for service in ingest-alarm ingest-telemetry dispatch; do keep "mqtt-$service" "$(random 24)"; done
keep grafana_admin "$(random 16)"
keep link_secret "$(random 32)"
keep sim/account "AC$(random 16)"
keep sim/token "$(random 16)"
keep sim/from "+867500000000"

# The authority behind devices' certificates, ours in either case; `pingan ca init` makes one alike. For twenty years:
# a new one would mean a new certificate in every home.
if [ ! -e "$secrets/authority_key.pem" ]; then
    openssl ecparam -name prime256v1 -genkey -noout -out "$secrets/authority_key.new"
    openssl req -x509 -new -key "$secrets/authority_key.new" -sha256 -days 7300 -subj "/CN=Ping An Tong $(random 8)" \
        -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -out "$secrets/authority.pem"
    mv "$secrets/authority_key.new" "$secrets/authority_key.pem"
    chmod 444 "$secrets/authority.pem" "$secrets/authority_key.pem"
fi

# Yours to fill in: they stay empty until you do.
for name in alerts_url heartbeat_url twilio/account twilio/token twilio/from; do
    [ -e "$secrets/$name" ] || : >"$secrets/$name"
    chmod 644 "$secrets/$name"
done

if [ ! -e .env ]; then
    cat >.env.new <<END
# Settings of docker-compose.yml; docs/runbook.md explains them.
# Whom we call: sim (simulated homes and phones) or twilio (people).
COMPOSE_PROFILES=$phones
PINGAN_DOMAIN=$domain
PINGAN_LOG=kafka
PINGAN_TIMEZONE=Asia/Shanghai
PINGAN_BACKUP=./deploy/backup/postgres
# Kafka's brokers know each other by it; it never changes.
PINGAN_KAFKA_CLUSTER=k$(random 16 | cut -c 1-21)
END
    mv .env.new .env
fi
if ! grep -q "^COMPOSE_PROFILES=$phones$" .env; then
    echo "prepare.sh: .env is for $(grep ^COMPOSE_PROFILES= .env). See \"Trying out, then for real\" in docs/runbook.md." >&2
    exit 1
fi

[ "$phones" = twilio ] || sh deploy/certificates.sh "$domain"

missing=""
for name in https_certificate.pem https_key.pem mqtt_certificate.pem mqtt_key.pem; do
    [ -s "$secrets/$name" ] || missing="$missing $name"
done
if [ "$phones" = twilio ]; then
    for name in twilio/account twilio/token twilio/from; do [ -s "$secrets/$name" ] || missing="$missing $name"; done
fi
for name in alerts_url heartbeat_url; do
    [ -s "$secrets/$name" ] || echo "Nobody is told of alerts by $name: put its URL into $secrets/$name."
done
[ -z "$missing" ] || { echo "Still to be put into $secrets (mode 444):$missing" >&2; exit 1; }
echo "All is there. Next: docker compose build && docker compose run --rm migrate migrate && docker compose up -d"
