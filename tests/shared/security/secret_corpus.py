"""Texts with a secret, `§` around it, and texts that only look as if they had one."""

SECRETS = r"""
curl -su me:§Tr0ub4dor§ http://host/x
curl -sSfLu me:§Tr0ub4dor§ http://host
curl -ume:§Tr0ub4dor§ http://host
curl -u 'me:§Tr0 ub4dor§' http://host
curl -u "me:§Tr0ub4dor&3§" http://host
curl --user me:§Tr0ub4dor§ http://host
curl --user=me:§Tr0ub4dor§ http://host
curl "http://h/?a=1&b=2" -U proxy:§Tr0ub4dor§ -o x
curl -H "Accept: text/html; q=1" --proxy-user p:§Tr0ub4dor§ x
curl --oauth2-bearer §Tr0ub4dor§ http://host
curl --cert c.pem --pass §Tr0ub4dor§ https://host
curl -b session=§Tr0ub4dor§ http://host
curl --cookie 'sid=§Tr0ub4dor§' http://host
curl -H 'X-Api-Key: §Tr0ub4dor§' http://host
curl -H "Authorization: Bearer §Tr0ub4dor§" http://host
/usr/bin/curl -su me:§Tr0ub4dor§ http://host
sh -c "curl -su me:§Tr0ub4dor§ http://host"
ssh host 'curl -su me:§Tr0ub4dor§ http://host; ls'
x=$(curl -su me:§Tr0ub4dor§ http://host)
time curl -o out -su me:§Tr0ub4dor§ http://host
http -a me:§Tr0ub4dor§ GET host/path
xh --auth me:§Tr0ub4dor§ host
etcdctl --user root:§Tr0ub4dor§ get k
redis-cli -a §Tr0ub4dor§ ping
redis-cli -h host -p 6379 -a '§Tr0ub 4dor§' get k
redis-cli --pass §Tr0ub4dor§ ping
valkey-cli -a §Tr0ub4dor§ info
docker exec cache redis-cli -a §Tr0ub4dor§ ping
REDISCLI_AUTH=§Tr0ub4dor§ redis-cli ping
127.0.0.1:6379> AUTH §Tr0ub4dor§
127.0.0.1:6379> AUTH default §Tr0ub4dor§
CONFIG SET requirepass §Tr0ub4dor§
mysql -uroot -p§Tr0ub4dor§ db
mysql -u root -p'§Tr0ub 4dor§' db
mysqldump -h db -p§Tr0ub4dor§ name
mariadb -p§Tr0ub4dor§
mysqladmin -u root password §Tr0ub4dor§
mysql --password=§Tr0ub4dor§ db
MYSQL_PWD=§Tr0ub4dor§ mysql db
mongosh -u root -p §Tr0ub4dor§ host/db
mongodump -p §Tr0ub4dor§ -d db
cqlsh -u cassandra -p §Tr0ub4dor§ host
sqlcmd -S host -U sa -P §Tr0ub4dor§
bcp t out f -S host -U sa -P§Tr0ub4dor§
sqlplus scott/§Tr0ub4dor§@orcl
PGPASSWORD=§Tr0ub4dor§ psql -h host
psql "host=h password=§Tr0ub4dor§ dbname=x"
psql postgresql://me:§Tr0ub4dor§@host/db
psql -c "ALTER USER x PASSWORD '§Tr0ub4dor§'"
CREATE USER me IDENTIFIED BY '§Tr0ub4dor§';
clickhouse-client --password §Tr0ub4dor§
influx -username u -password §Tr0ub4dor§
docker login -u me -p §Tr0ub4dor§ registry.example
docker login --password §Tr0ub4dor§ -u me
podman login -p §Tr0ub4dor§ -u me quay.example
helm registry login -u me -p §Tr0ub4dor§ host
az login -u me -p §Tr0ub4dor§
az login --service-principal --client-secret §Tr0ub4dor§
oc login --token §Tr0ub4dor§ https://host
echo §Tr0ub4dor§ | docker login -u me --password-stdin
vault login §Tr0ub4dor§
vault login -method=userpass username=me password=§Tr0ub4dor§
VAULT_TOKEN=§Tr0ub4dor§ vault read x
cargo login §Tr0ub4dor§
snyk auth §Tr0ub4dor§
wandb login §Tr0ub4dor§
ngrok authtoken §Tr0ub4dor§
ngrok config add-authtoken §Tr0ub4dor§
tailscale up --authkey §Tr0ub4dor§
twine upload -u me -p §Tr0ub4dor§ dist/x
gh secret set NAME --body §Tr0ub4dor§
echo §Tr0ub4dor§ | gh auth login --with-token
kubectl create secret generic s --from-literal=key=§Tr0ub4dor§
kubectl create secret docker-registry s --docker-password §Tr0ub4dor§
kubectl --token §Tr0ub4dor§ get pods
aws configure set aws_secret_access_key §Tr0ub4dor§
AWS_SECRET_ACCESS_KEY=§Tr0ub4dor§ aws s3 ls
npm config set //registry.example/:_authToken §Tr0ub4dor§
//registry.example/:_authToken=§Tr0ub4dor§
mc alias set s3 http://host admin §Tr0ub4dor§
rclone obscure §Tr0ub4dor§
ansible-vault encrypt_string §Tr0ub4dor§ --name x
ldapsearch -x -D cn=admin -w §Tr0ub4dor§ -b dc=x
ldapsearch -xw §Tr0ub4dor§ -b dc=x
ldapmodify -D cn=admin -w '§Tr0ub 4dor§'
ldappasswd -D cn=admin -s §Tr0ub4dor§ uid=me
slappasswd -s §Tr0ub4dor§
smbclient //host/share -U me%§Tr0ub4dor§
rpcclient -U 'me%§Tr0ub4dor§' host
mount -t cifs -o username=me,password=§Tr0ub4dor§ //h/s /m
lftp -u me,§Tr0ub4dor§ ftp.example
sshpass -p §Tr0ub4dor§ ssh host
sshpass -p'§Tr0ub 4dor§' ssh host
sshpass -vp §Tr0ub4dor§ scp a host:
SSHPASS=§Tr0ub4dor§ sshpass -e ssh host
plink -ssh me@host -pw §Tr0ub4dor§ ls
pscp -pw §Tr0ub4dor§ a host:b
ssh-keygen -t ed25519 -N §Tr0ub4dor§ -f key
ssh-keygen -p -P §Tr0ub4dor§ -N '' -f key
zip -P §Tr0ub4dor§ a.zip b
zip -rP §Tr0ub4dor§ a.zip b
zip -r -P '§Tr0ub 4dor§' a.zip b
unzip -P §Tr0ub4dor§ a.zip
7z a -p§Tr0ub4dor§ x.7z d
rar a -hp§Tr0ub4dor§ x.rar d
openssl rsa -in k -passin pass:§Tr0ub4dor§ -out o
openssl pkcs12 -export -passout pass:§Tr0ub4dor§ -in c
openssl enc -aes-256-cbc -pass "pass:§Tr0ub4dor§" -in a
openssl enc -aes-256-cbc -k §Tr0ub4dor§ -in a
openssl passwd -6 §Tr0ub4dor§
keytool -list -keystore k -storepass §Tr0ub4dor§
jarsigner -keypass §Tr0ub4dor§ x.jar alias
htpasswd -b file me §Tr0ub4dor§
htpasswd -cbB file me §Tr0ub4dor§
htpasswd -nb me §Tr0ub4dor§
mosquitto_passwd -b file me §Tr0ub4dor§
mosquitto_pub -t t -u me -P §Tr0ub4dor§ -m x
rabbitmqctl add_user me §Tr0ub4dor§
rabbitmqctl change_password me §Tr0ub4dor§
useradd -m -p §Tr0ub4dor§ me
mkpasswd -m sha-512 §Tr0ub4dor§
wpa_passphrase home §Tr0ub4dor§
nmcli dev wifi connect home password §Tr0ub4dor§
ipmitool -H host -U admin -P §Tr0ub4dor§ power status
snmpwalk -v2c -c §Tr0ub4dor§ host
rdesktop -u me -p §Tr0ub4dor§ host
xfreerdp /u:me /p:§Tr0ub4dor§ /v:host
pdftk a.pdf output b.pdf user_pw §Tr0ub4dor§
pdftotext -upw §Tr0ub4dor§ a.pdf
net user me §Tr0ub4dor§ /add
cmdkey /add:host /user:me /pass:§Tr0ub4dor§
ConvertTo-SecureString "§Tr0ub4dor§" -AsPlainText -Force
git clone https://§abcdef0123456789abcdef0123§@git.example/a.git
git clone https://me:§Tr0ub4dor§@git.example/a.git
git clone https://oauth2:§Tr0ub4dor§@git.example/a.git
git remote add o https://§ghp_0123456789abcdefghijABCD§@github.com/a/b
echo §Tr0ub4dor§ | sudo -S id
echo '§Tr0ub 4dor§' | sudo -kS id
printf '§Tr0ub4dor\n§' | sudo -S -p '' id
sudo -S id <<< §Tr0ub4dor§
sudo -S id <<<"§Tr0ub4dor§"
echo "§me:Tr0ub4dor§" | chpasswd
echo §me:Tr0ub4dor§ | sudo chpasswd
chpasswd <<< '§me:Tr0ub4dor§'
echo -n §Tr0ub4dor§ | passwd --stdin me
echo §Tr0ub4dor§ | su -c id
echo §Tr0ub4dor§ | kinit me
echo §Tr0ub4dor§ | cryptsetup luksOpen /dev/sdb x -
echo §Tr0ub4dor§ | gpg --batch --passphrase-fd 0 -d x
echo §Tr0ub4dor§ | openssl enc -pass stdin -aes256
gpg --passphrase §Tr0ub4dor§ -d x
restic --repository-password §Tr0ub4dor§ x
export DB_PASS=§Tr0ub4dor§
tool --db-pass §Tr0ub4dor§ run
tool --api-key §Tr0ub4dor§ run
machine host login me password §Tr0ub4dor§
username admin privilege 15 secret 5 §Tr0ub4dor§
enable secret §Tr0ub4dor§
snmp-server community §Tr0ub4dor§ RO
DefaultEndpointsProtocol=https;AccountKey=§Tr0ub4dor§
https://x.blob.example/a?sv=1&sig=§Tr0ub4dor§
Server=h;Uid=sa;Pwd=§Tr0ub4dor§;
key §hvs.CAESIJ0123456789abcdef§ here
{"command": "curl -su me:§Tr0ub4dor§ http://host", "cwd": "/x"}
{"command": "redis-cli -a §Tr0ub4dor§", "cwd": "/x"}
{"command": "cd x\nzip -P §Tr0ub4dor§ a b\nls", "cwd": "/x"}
{"command": "echo §Tr0ub4dor§ | sudo -S id", "cwd": "/x"}
me@host:~$ curl -su me:§Tr0ub4dor§ http://host
""".strip().split("\n")

LOOK_ALIKES = r"""
curl -s http://host/x
curl -su "$USER_AND_SECRET" http://host
curl -u me http://host
curl -so out http://host:8080/path
curl -sU proxy http://host
curl --user me http://host:80/x
curl -b jar.txt http://host
curl -T file ftp://host/a:b
curl -X POST -d a:b http://host
curl -w '%{http_code}:%{time_total}' http://host
curl http://host:8080/a:b -o c:d
http GET host:8080/a -a
etcdctl get --prefix user:root
redis-cli -h host -p 6379 get key
redis-cli -a $REDIS_PW ping
redis-cli -a "${REDIS_PW}" ping
redis-cli keys a:b
redis-server --port 6379 -a
mysql -u root -p db
mysql -h db -P 3306 db
mysql -uroot --protocol tcp
mysqladmin -u root status
mariadb -p -e 'select 1'
mongosh host/db -u me
mongod -p 27017
sqlcmd -S host -U sa -Q 'select 1'
sqlplus scott@orcl
psql -p 5432 -U me db
psql -h host -U me -d db -c 'select 1'
pg_dump -W -p 5433 db
SELECT password FROM users;
SELECT token, secret FROM t;
docker run -p 8080:80 image
docker run -u 1000:1000 image
docker login -u me registry.example
docker ps -a -q
docker compose -p project up
podman run -p 8080:80 image
echo x | docker load
helm upgrade -f v.yaml release chart
az group list -o table
oc get pods -n ns
vault login
vault login -method=oidc
vault status
vault read secret/data/app
cargo build --release
cargo login
ngrok http 8080
tailscale status
twine upload dist/x
gh pr list -b main
gh secret list
kubectl get secret name -o yaml
kubectl create secret generic s --from-file=key=path
kubectl -n ns logs -p pod
aws s3 cp a s3://b/c
aws configure set region eu-west-1
npm run build
npm config set registry
mc ls s3/bucket
rclone copy a b:c
ansible-vault edit file.yml
ansible-playbook -k play.yml
ldapsearch -x -D cn=admin -W -b dc=x
ldapsearch -x -H ldap://host -b dc=x
smbclient //host/share -U me
smbclient -L host -N
lftp -u me ftp.example
sshpass -e ssh -p 2222 host
sshpass -f file ssh -p 2222 host
ssh -p 2222 me@host
scp -P 2222 a host:b
plink -P 22 me@host
ssh-keygen -t ed25519 -N '' -f key
ssh-keygen -R host
zip -r a.zip dir
zip -9 a.zip b.txt
unzip -l a.zip
unzip -d dir a.zip
7z x a.7z -oout
tar -xzpf a.tar.gz
rar x a.rar
openssl rsa -in k -passin file:pw.txt
openssl rsa -in k -passin env:PW
openssl rsa -in k -passin stdin
openssl x509 -in c.pem -noout -text
openssl s_client -connect host:443
keytool -list -keystore k
htpasswd file me
htpasswd -c file me
htpasswd -D file me
mosquitto_pub -t topic -p 1883 -m x
rabbitmqctl list_users
useradd -m -s /bin/sh me
usermod -aG docker me
nmcli dev wifi list
ipmitool -H host -U admin power status
snmpwalk -v2c host
rdesktop -u me host
xfreerdp /u:me /v:host
pdftk a.pdf cat output b.pdf
pdftotext a.pdf b.txt
net user me
net start service
git clone https://git.example/a.git
git clone https://me@git.example/a.git
git clone git@github.com:a/b.git
git clone ssh://git@host:22/a.git
git log -p -S token
git grep -n password
echo hello | sudo tee /etc/motd
echo hello | grep -S h
echo -n x | sha256sum
echo done; sudo -S true
echo done && sudo -S id
printf '%s\n' a b | sort -u
sudo -u me -i
sudo apt-get install -y curl
cat file | sudo -S id
cat users | chpasswd
su - me -c id
passwd me
passwd -l me
cryptsetup status x
gpg --decrypt x
gpg --passphrase-file pw -d x
grep -P 'a:b' file
grep -a text bin
ls -a dir
python -u script.py
id -u me
PWD=/home/me
OLDPWD=/home/me/x
pwd: /home/me
bypass=yes
compass=north
pass=12 fail=0
tests pass: 5 fail: 2
tool --no-password x
tool --password-stdin
tool --password-file path
tool --token-file path
tool --max-tokens 5
the author said hello
authentication failed for user me
community edition
the item was identified by number
https://example.org/a:b@c
https://user-name-that-is-rather-long@host/x
{"command": "curl -s http://host", "cwd": "/x"}
{"command": "docker run -u 1000:1000 x", "cwd": "/x"}
{"command": "redis-cli ping", "args": ["-a", "b"]}
see curl, zip and openssl for details
net income rose
""".strip().split("\n")
