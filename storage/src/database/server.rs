//! A connection: where to, how long to wait, with or without TLS.

use std::net::IpAddr;
use std::time::Duration;

use tickpath_service::config::DatabaseUrl;
use tokio::task::JoinHandle;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

use super::error::{DatabaseError, chain};
use super::tls::Tls;

/// How long opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long sent bytes may stay unanswered by the other host before the connection counts as lost.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Oldest server, as `server_version_num` says it.
const VERSION_MIN: i32 = 150_000;

/// Where the database is.
#[derive(Clone, Debug)]
pub struct Server {
    config: Config,
    tls: Option<Tls>,
    name: String,
}

/// An open connection. Dropping it closes it, and what was not committed is gone.
#[derive(Debug)]
pub struct Connection {
    /// Takes statements.
    pub client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Server {
    /// The server at an address.
    ///
    /// # Errors
    /// [`DatabaseError::Address`] if PostgreSQL's own rules for addresses refuse it.
    pub fn at(url: &DatabaseUrl) -> Result<Server, DatabaseError> {
        let (url, wanted) = Tls::asked_for(url.expose())?;
        let mut config: Config = url
            .parse()
            .map_err(|error: tokio_postgres::Error| DatabaseError::Address(chain(&error)))?;
        let tls = wanted.then_load(&mut config)?;
        config
            .application_name("tickpath-recorder")
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(SILENCE_MAX / 3)
            .keepalives_interval(SILENCE_MAX / 3)
            .tcp_user_timeout(SILENCE_MAX);
        let name = name_of(&config);
        Ok(Server { config, tls, name })
    }

    /// Host, port and database, without user and password.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether rows and perhaps a password go over a network as they are.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        let is_here = |host: &Host| match host {
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
            Host::Unix(_) => true,
        };
        self.tls.is_none() && !self.config.get_hosts().iter().all(is_here)
    }

    /// Opens a connection and sees that the server is new enough.
    ///
    /// # Errors
    /// [`DatabaseError::Unreachable`], [`DatabaseError::Refused`] or [`DatabaseError::Version`].
    pub async fn connect(&self) -> Result<Connection, DatabaseError> {
        let failed = |error: tokio_postgres::Error| DatabaseError::connect(&self.name, &error);
        let opening = async {
            if let Some(tls) = &self.tls {
                let (client, connection) = self.config.connect(tls.connector()).await?;
                return Ok((client, tokio::spawn(drive(connection))));
            }
            let (client, connection) = self.config.connect(NoTls).await?;
            Ok((client, tokio::spawn(drive(connection))))
        };
        // `connect_timeout` ends with the TCP handshake; a server that accepts and is silent must not hold us for ever.
        let (client, driver) = tokio::time::timeout(2 * CONNECT_TIMEOUT, opening)
            .await
            .map_err(|_| DatabaseError::Unreachable {
                server: self.name.clone(),
                reason: "it accepted the connection and did not answer".to_owned(),
            })?
            .map_err(failed)?;
        let connection = Connection { client, driver };
        self.check_version(&connection.client).await?;
        Ok(connection)
    }

    async fn check_version(&self, client: &Client) -> Result<(), DatabaseError> {
        let row = client
            .query_one(
                "SELECT current_setting('server_version_num')::int, current_setting('server_version')",
                &[],
            )
            .await
            .map_err(DatabaseError::statement("asking for the server's version"))?;
        if row.get::<_, i32>(0) >= VERSION_MIN {
            return Ok(());
        }
        Err(DatabaseError::Version {
            server: self.name.clone(),
            found: row.get(1),
        })
    }
}

/// Drives a connection until it ends; how it ended is told to whoever waits for a statement.
async fn drive<S, T>(connection: tokio_postgres::Connection<S, T>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    if let Err(error) = connection.await {
        tracing::debug!("the database connection ended: {error}");
    }
}

fn name_of(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    match config.get_dbname().or(config.get_user()) {
        Some(database) => format!("{host}:{port}/{database}"),
        None => format!("{host}:{port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_holds_no_password() {
        let server = |text: &str| Server::at(&text.parse().unwrap());
        let remote = server("postgres://me:s3cret@db.example:6543/ticks?sslmode=require").unwrap();
        assert_eq!(remote.name(), "db.example:6543/ticks");
        let local = server("postgres://me@%2Frun%2Fpostgresql/ticks").unwrap();
        assert_eq!(local.name(), "/run/postgresql:5432/ticks");
        for bad in [
            "postgres://me:s3cret@h:port/x",
            "postgres://me:p@s3cret@h/x",
            "postgres://me:p@ss?s3cret=1@h/x",
            "postgres://me:s3cret@h/x?s3cretly=1@",
            "postgres://me:s3cret@h/x?sslmode=s3cret",
            "postgres://me:s3cret@h/x?sslrootcert=/nonexistent&sslmode=require",
            "postgres://me:s3cret@h/x?connect_timeout=s3cret",
        ] {
            let error = server(bad).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
            assert!(error.contains("address"), "{error}");
        }
        assert!(!format!("{remote:?}").contains("s3cret"));
        let said = server("postgres://me@h/x?sslmode=never").unwrap_err().to_string();
        assert!(said.contains("sslmode") && said.contains("verify-full"), "{said}");
    }

    #[test]
    fn only_what_leaves_the_machine_unencrypted_is_exposed() {
        for (url, exposed) in [
            ("postgres://me@db.example/x", true),
            ("postgres://me@10.0.0.1/x?sslmode=disable", true),
            ("postgres://me@db.example/x?sslmode=verify-full", false),
            ("postgres://me@localhost/x", false),
            ("postgres://me@127.0.0.1/x", false),
            ("postgres://me@[::1]/x", false),
            ("postgres://me@%2Frun%2Fpostgresql/x", false),
        ] {
            assert_eq!(
                Server::at(&url.parse().unwrap()).unwrap().is_exposed(),
                exposed,
                "{url}"
            );
        }
    }
}
