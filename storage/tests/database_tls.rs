//! TLS to a real server: encrypted where the address asks for it, and only with a certificate that holds.

#[path = "postgres/load.rs"]
mod load;
mod postgres;
#[path = "postgres/rows.rs"]
mod rows;

use std::net::TcpListener;
use std::path::Path;

use load::{append, appender, bring_all, records, settings};
use postgres::Postgres;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rows::{Database, assert_same_rows, expected_rows};
use tickpath_service::Config;
use tickpath_service::exit::ExitCode;
use tickpath_storage::database;
use tickpath_transport::now_ns;

/// Files `ca.pem`, `other-ca.pem`, `server.pem` and `server.key`: a server's certificate for `localhost`, who signed it, and somebody else.
fn certificates(dir: &Path) {
    let authority = || {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ca, other) = (authority(), authority());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    std::fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    std::fs::write(dir.join("other-ca.pem"), other.pem()).unwrap();
    std::fs::write(dir.join("server.pem"), certificate.pem()).unwrap();
    std::fs::write(dir.join("server.key"), key.serialize_pem()).unwrap();
    postgres::give(&dir.join("server.key"));
}

#[test]
fn encrypted_if_asked_and_only_with_a_certificate_that_holds() {
    let dir = tempfile::tempdir().unwrap();
    postgres::let_in(dir.path());
    certificates(dir.path());
    let path = |name: &str| dir.path().join(name).display().to_string();
    let port = TcpListener::bind("localhost:0").unwrap().local_addr().unwrap().port();
    let postgres = Postgres::start_with(
        "scram-sha-256",
        &[
            "fsync=off",
            "listen_addresses=localhost",
            &format!("port={port}"),
            "ssl=on",
            &format!("ssl_cert_file={}", path("server.pem")),
            &format!("ssl_key_file={}", path("server.key")),
        ],
    );
    let journal = tempfile::tempdir().unwrap();
    append(&mut appender(journal.path(), 1, 4_096), 0, &records(0, 3_000, now_ns()));
    let url = |host: &str, parameters: &str| format!("postgres://postgres:right@{host}:{port}/postgres{parameters}");
    let own = format!("?sslmode=verify-full&sslrootcert={}", path("ca.pem"));
    bring_all(&settings(&url("localhost", &own), journal.path()));
    let database = Database::connect(&postgres.url_as("postgres:right", "postgres"));
    assert_same_rows(&database.rows(), &expected_rows(journal.path(), 0));

    let refused = |url: &str| {
        let mut config = Config::default();
        config.database.url = url.parse().unwrap();
        config.recorder.dir = journal.path().to_owned();
        let refusal = database::check(&config).unwrap_err();
        assert_eq!(refusal.code(), ExitCode::BadInput, "{refusal}");
        assert!(!refusal.to_string().contains("right"), "{refusal}");
        refusal.to_string()
    };
    let other = format!("?sslmode=require&sslrootcert={}", path("other-ca.pem"));
    for (host, parameters, says) in [
        // Not signed by a public authority, or by the one that we trust; or for another host.
        ("localhost", "?sslmode=require", "UnknownIssuer"),
        ("localhost", other.as_str(), "certificate"),
        ("127.0.0.1", own.as_str(), "certificate"),
    ] {
        let text = refused(&url(host, parameters));
        assert!(text.contains(says) && text.contains("sslrootcert"), "{text}");
    }
    drop(database);

    // A server without TLS is not talked to in the clear if TLS was asked for.
    drop(postgres);
    let _plain = Postgres::start_with("trust", &["listen_addresses=localhost", &format!("port={port}")]);
    let text = refused(&url("localhost", &own));
    assert!(text.contains("does not support TLS"), "{text}");
    bring_all(&settings(&url("localhost", ""), journal.path()));
}
