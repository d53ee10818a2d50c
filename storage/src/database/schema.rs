//! The schema: numbered migrations with their checksums, TimescaleDB where it is there, and a look whether somebody altered a table.

use tickpath_protocol::trading::Reason;
use tickpath_protocol::{GapCause, Kind, StatusCode};
use tokio_postgres::{Client, Transaction};
use tracing::{info, warn};

use super::error::DatabaseError;
use super::tables::{CATALOG, Column, Table};

/// How the rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    /// Tables of PostgreSQL with a partition a day.
    Plain,
    /// Hypertables with columnstore and continuous aggregates.
    Timescale,
}

impl Flavor {
    /// The name in migrations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Flavor::Plain => "plain",
            Flavor::Timescale => "timescale",
        }
    }
}

/// What the schema is, after [`prepare`] or [`inspect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// How the rows are kept.
    pub flavor: Flavor,
    /// Migrations that were there.
    pub found: i32,
    /// Migrations of this build.
    pub known: i32,
}

struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("migrations/", $name, ".sql")),
        }
    };
}

/// Versions count within a flavor, without holes.
const PLAIN: [Migration; 6] = [
    migration!(1, "0001_catalog"),
    migration!(2, "0002_rows.plain"),
    migration!(3, "0003_bars.plain"),
    migration!(4, "0004_views"),
    migration!(5, "0005_trading"),
    migration!(6, "0006_bars.plain"),
];
const TIMESCALE: [Migration; 5] = [
    migration!(1, "0001_catalog"),
    migration!(2, "0002_rows.timescale"),
    migration!(3, "0003_bars.timescale"),
    migration!(4, "0004_views"),
    migration!(5, "0005_trading"),
];

/// Taken while migrations run, so that two writers do not run them at once. Any number that nobody else uses.
const LOCK: i64 = 0x7469_636b_7061_7468;

/// Oldest TimescaleDB; 2.28 and 2.30 were tried.
const EXTENSION_MIN: (u32, u32) = (2, 20);

const MIGRATIONS_TABLE: &str = "CREATE TABLE IF NOT EXISTS tickpath_migrations (
    version int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())";

impl Migration {
    fn identity(&self) -> String {
        format!("{} {:08x}", self.name, crc32c::crc32c(self.sql.as_bytes()))
    }
}

fn migrations(flavor: Flavor) -> &'static [Migration] {
    match flavor {
        Flavor::Plain => &PLAIN,
        Flavor::Timescale => &TIMESCALE,
    }
}

/// Brings the schema to this build's version and sees that it is what the migrations made.
///
/// # Errors
/// If it is newer, was altered, or a migration fails; then nothing of that migration stays.
pub async fn prepare(client: &mut Client) -> Result<Schema, DatabaseError> {
    let schema = match inspect(client).await? {
        schema if schema.found == schema.known => schema,
        _ => migrate(client).await?,
    };
    verify(client).await?;
    name_codes(client).await?;
    Ok(schema)
}

/// What is there, without changing anything, and whether it is what the migrations made.
///
/// # Errors
/// As [`prepare`], migrations aside.
pub async fn look(client: &Client) -> Result<Schema, DatabaseError> {
    let schema = inspect(client).await?;
    if schema.found == schema.known {
        verify(client).await?;
    }
    Ok(schema)
}

/// What is there, without changing anything; of an empty database, what it would become.
///
/// # Errors
/// If the schema is newer than this build or was made of other migrations, or needs an extension that is gone.
pub async fn inspect(client: &Client) -> Result<Schema, DatabaseError> {
    let applied = applied(client).await?;
    let flavor = match applied.iter().find(|(version, _)| *version == 2) {
        Some((_, identity)) if identity.contains(".timescale ") => Flavor::Timescale,
        Some(_) => Flavor::Plain,
        None => detect(client).await?,
    };
    let known = migrations(flavor);
    let newest = known.len() as i32;
    for (version, identity) in &applied {
        let Some(migration) = known.iter().find(|migration| migration.version == *version) else {
            return Err(DatabaseError::Newer {
                found: *version,
                known: newest,
            });
        };
        if *identity != migration.identity() {
            return Err(DatabaseError::Migration {
                version: *version,
                applied: identity.clone(),
                known: migration.identity(),
            });
        }
    }
    if flavor == Flavor::Timescale && !applied.is_empty() && !has_extension(client).await? {
        return Err(DatabaseError::ExtensionMissing);
    }
    Ok(Schema {
        flavor,
        found: applied.len() as i32,
        known: newest,
    })
}

/// Version and identity of each migration that was applied, the newest first: so a newer version is seen before what it changed.
async fn applied(client: &Client) -> Result<Vec<(i32, String)>, DatabaseError> {
    let what = "reading tickpath_migrations";
    let row = client
        .query_one("SELECT to_regclass('tickpath_migrations') IS NOT NULL", &[])
        .await
        .map_err(DatabaseError::statement(what))?;
    if !row.get::<_, bool>(0) {
        return Ok(Vec::new());
    }
    let rows = client
        .query(
            "SELECT version, name || ' ' || checksum FROM tickpath_migrations ORDER BY version DESC",
            &[],
        )
        .await
        .map_err(DatabaseError::statement(what))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Whether TimescaleDB is installed in this database.
///
/// # Errors
/// [`DatabaseError::Extension`] if it is and does not know the statements of our migrations yet.
async fn has_extension(client: &Client) -> Result<bool, DatabaseError> {
    let found = client
        .query_opt("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'", &[])
        .await
        .map_err(DatabaseError::statement("looking for TimescaleDB"))?;
    let Some(row) = found else { return Ok(false) };
    let version: String = row.get(0);
    if is_known(&version) {
        return Ok(true);
    }
    Err(DatabaseError::Extension(version))
}

/// Whether an extension of that version makes a hypertable with `CREATE TABLE … WITH (tsdb.hypertable)`.
fn is_known(version: &str) -> bool {
    let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= EXTENSION_MIN
}

/// Its settings exist only where the server has loaded it; creating the extension elsewhere ends the connection.
const LOADED: &str = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
    AND EXISTS (SELECT FROM pg_settings WHERE name LIKE 'timescaledb.%')";

/// Whether TimescaleDB is there, or can be installed by us.
async fn detect(client: &Client) -> Result<Flavor, DatabaseError> {
    if has_extension(client).await? {
        return Ok(Flavor::Timescale);
    }
    let available = client
        .query_one(LOADED, &[])
        .await
        .map_err(DatabaseError::statement("looking for TimescaleDB"))?;
    Ok(if available.get(0) {
        Flavor::Timescale
    } else {
        Flavor::Plain
    })
}

/// Installs the extension where it is meant and missing; a server that does not let us is used as plain PostgreSQL.
async fn install(client: &Client, flavor: Flavor) -> Result<Flavor, DatabaseError> {
    if flavor == Flavor::Plain || has_extension(client).await? {
        return Ok(flavor);
    }
    match client.batch_execute("CREATE EXTENSION IF NOT EXISTS timescaledb").await {
        Ok(()) => Ok(Flavor::Timescale),
        Err(error) => {
            let reason = DatabaseError::statement("CREATE EXTENSION timescaledb")(error);
            warn!(
                "TimescaleDB is available and cannot be installed, so plain partitions are used: {reason}; for hypertables let an administrator \
                 run CREATE EXTENSION timescaledb in an empty database"
            );
            Ok(Flavor::Plain)
        }
    }
}

async fn migrate(client: &mut Client) -> Result<Schema, DatabaseError> {
    // One after the other: whoever comes second finds everything done.
    client
        .query_one("SELECT pg_advisory_lock($1)", &[&LOCK])
        .await
        .map_err(DatabaseError::statement("waiting for another migration"))?;
    let outcome = migrate_locked(client).await;
    let unlocked = client
        .query_one("SELECT pg_advisory_unlock($1)", &[&LOCK])
        .await
        .map_err(DatabaseError::statement("ending the migration"));
    let schema = outcome?;
    unlocked?;
    Ok(schema)
}

async fn migrate_locked(client: &mut Client) -> Result<Schema, DatabaseError> {
    let mut schema = inspect(client).await?;
    if schema.found == 0 {
        schema.flavor = install(client, schema.flavor).await?;
    }
    for migration in migrations(schema.flavor)
        .iter()
        .filter(|migration| migration.version > schema.found)
    {
        let transaction = client
            .transaction()
            .await
            .map_err(DatabaseError::statement("beginning a migration"))?;
        apply(&transaction, migration).await?;
        transaction.commit().await.map_err(DatabaseError::statement(format!(
            "committing migration {}",
            migration.name
        )))?;
        info!(migration = migration.name, "database schema brought forward");
    }
    Ok(schema)
}

async fn apply(transaction: &Transaction<'_>, migration: &Migration) -> Result<(), DatabaseError> {
    let what = || DatabaseError::statement(format!("migration {}", migration.name));
    transaction.batch_execute(MIGRATIONS_TABLE).await.map_err(what())?;
    transaction.batch_execute(migration.sql).await.map_err(what())?;
    let identity = migration.identity();
    let (name, checksum) = identity.rsplit_once(' ').unwrap_or((&identity, ""));
    transaction
        .execute(
            "INSERT INTO tickpath_migrations (version, name, checksum) VALUES ($1, $2, $3)",
            &[&migration.version, &name, &checksum],
        )
        .await
        .map_err(what())?;
    Ok(())
}

/// Every table has the columns that the writer relies on, with their types, and no further one that a row would need.
async fn verify(client: &Client) -> Result<(), DatabaseError> {
    for table in Table::ALL {
        let columns: Vec<Column> = table.columns().collect();
        verify_table(client, table.name(), &columns).await?;
    }
    for (table, columns) in CATALOG {
        verify_table(client, table, columns).await?;
    }
    Ok(())
}

async fn verify_table(client: &Client, table: &str, columns: &[Column]) -> Result<(), DatabaseError> {
    let found = client
        .query(
            "SELECT attname::text, format_type(atttypid, atttypmod), attnotnull AND NOT atthasdef AND attidentity = ''
               FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
            &[&table],
        )
        .await
        .map_err(DatabaseError::statement(format!("looking at table {table}")))?;
    let altered = |problem: String| {
        Err(DatabaseError::Altered {
            table: table.to_owned(),
            problem,
        })
    };
    if found.is_empty() {
        return altered("it is not there".to_owned());
    }
    for (name, expected) in columns {
        match found.iter().find(|row| row.get::<_, String>(0) == *name) {
            None => return altered(format!("column `{name}` ({expected}) is missing")),
            Some(row) if row.get::<_, String>(1) != *expected => {
                return altered(format!(
                    "column `{name}` is {} and was {expected}",
                    row.get::<_, String>(1)
                ));
            }
            Some(_) => {}
        }
    }
    let known = |row: &&tokio_postgres::Row| columns.iter().any(|(name, _)| row.get::<_, String>(0) == *name);
    match found.iter().find(|row| row.get::<_, bool>(2) && !known(row)) {
        Some(row) => altered(format!(
            "column `{}` was added, is NOT NULL and has no default",
            row.get::<_, String>(0)
        )),
        None => Ok(()),
    }
}

/// Names of the codes that this build knows.
async fn name_codes(client: &Client) -> Result<(), DatabaseError> {
    let kinds = Kind::ALL.map(|kind| (kind as i16, kind.name())).to_vec();
    let statuses = StatusCode::ALL.map(|code| (code as i16, code.name())).to_vec();
    let reasons = Reason::NAMED.map(|(reason, name)| (reason as i16, name)).to_vec();
    let causes = GapCause::ALL.map(|cause| (cause as i16, cause.name())).to_vec();
    for (table, key, codes) in [
        ("kinds", "kind", kinds),
        ("status_codes", "code", statuses),
        ("gap_causes", "code", causes),
        ("reasons", "code", reasons),
    ] {
        let (codes, names): (Vec<i16>, Vec<&str>) = codes.into_iter().unzip();
        let statement = format!(
            "INSERT INTO {table} ({key}, name) SELECT * FROM unnest($1::smallint[], $2::text[]) ON CONFLICT ({key}) DO UPDATE SET name = excluded.name
              WHERE {table}.name <> excluded.name"
        );
        client
            .execute(&statement, &[&codes, &names])
            .await
            .map_err(DatabaseError::statement(format!("naming codes in {table}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_that_are_too_old_are_told_apart() {
        let known = ["2.20.0", "2.28.3", "2.30.0-dev", "2.30", "3.0.1"];
        assert!(known.into_iter().all(is_known));
        let old = ["2.19.3", "2.9.11", "1.7.5", "", "?"];
        assert!(!old.into_iter().any(is_known));
    }

    #[test]
    fn migrations_are_numbered_without_a_hole() {
        for flavor in [Flavor::Plain, Flavor::Timescale] {
            for (index, migration) in migrations(flavor).iter().enumerate() {
                assert_eq!(migration.version, index as i32 + 1);
                assert!(migration.name.starts_with(&format!("{:04}_", migration.version)));
            }
        }
    }
}
