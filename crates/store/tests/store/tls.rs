//! Encrypted connections, with certificates made for the test (by `openssl`, as the server's own user).

use std::fs;

use foretide_ports::StoreError;
use foretide_store::SqlStore;
use foretide_tests::postgres::{Postgres, sql};

use crate::common::{AT, put};

/// An authority of its own, and a certificate of it for `localhost` alone.
const MAKE_CERTIFICATES: &str = "COPY (SELECT 1) TO PROGRAM '
    set -e
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.crt
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout server.key -out server.csr
    echo subjectAltName=DNS:localhost > names
    openssl x509 -req -days 2 -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile names -out server.crt
    chmod 600 server.key'";

#[tokio::test]
async fn the_server_must_show_a_certificate_of_the_given_authority_for_its_name() {
    let server = Postgres::start();
    let url = server.url();
    sql(url, MAKE_CERTIFICATES);
    sql(url, "ALTER SYSTEM SET ssl = on");
    sql(url, "SELECT pg_reload_conf()");
    let dir = tempfile::tempdir().unwrap();
    let authority = dir.path().join("ca.crt");
    fs::write(&authority, sql(url, "SELECT pg_read_file('ca.crt')")).unwrap();
    let authority = authority.display();
    let by_name = url.replace("127.0.0.1", "localhost");

    let verified = format!("{by_name}?sslmode=verify-full&sslrootcert={authority}");
    let store = SqlStore::connect(&verified.parse().unwrap()).await.unwrap();
    store.prepare(AT).await.unwrap();
    put(&store).await.unwrap();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
        WHERE ssl AND application_name = 'foretide'";
    assert_ne!(sql(url, encrypted), "0");

    for wrong in [
        format!("{url}?sslmode=verify-full&sslrootcert={authority}"),
        format!("{by_name}?sslmode=verify-full"),
    ] {
        let refused = SqlStore::connect(&wrong.parse().unwrap())
            .await
            .unwrap_err();
        assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
        assert!(refused.to_string().contains("sslrootcert"), "{refused}");
    }
}
