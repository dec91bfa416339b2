#!/bin/sh
# For trying out: an authority of our own and certificates signed by it. `sh deploy/certificates.sh NAME [FOLDER]`.
# Real devices and browsers want certificates of an authority that they know. What is there is left alone.
set -eu
umask 077
[ $# -ge 1 ] || { echo "usage: certificates.sh NAME [FOLDER]" >&2; exit 2; }
name=$1
cd "$(dirname "$0")/.."
folder=${2:-deploy/secrets}
mkdir -p "$folder"
cd "$folder"

if [ ! -e test_authority.pem ]; then
    openssl ecparam -name prime256v1 -genkey -noout -out test_authority_key.pem
    openssl req -x509 -new -key test_authority_key.pem -sha256 -days 3650 -subj "/CN=Ping An Tong test authority" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" -out test_authority.pem
fi
case $name in
*[!0-9.]*) names="DNS:$name,DNS:localhost,IP:127.0.0.1" ;;
*) names="IP:$name,DNS:localhost,IP:127.0.0.1" ;;
esac
for part in https mqtt; do
    [ ! -e "${part}_certificate.pem" ] || continue
    openssl ecparam -name prime256v1 -genkey -noout -out "${part}_key.pem"
    openssl req -new -key "${part}_key.pem" -subj "/CN=$name" -out "$part.request"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$names" >"$part.extensions"
    openssl x509 -req -in "$part.request" -CA test_authority.pem -CAkey test_authority_key.pem -set_serial "0x$(
        od -An -v -tx1 -N 16 /dev/urandom | tr -d ' \n' | sed 's/^./1/'
    )" -days 825 -sha256 -extfile "$part.extensions" -out "${part}_certificate.pem" 2>/dev/null
    rm -f "$part.request" "$part.extensions"
    chmod 444 "${part}_certificate.pem" "${part}_key.pem"
done
chmod 444 test_authority.pem
