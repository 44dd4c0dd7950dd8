//! The same of databases: their rows, and the files in which they keep them.

use std::fs;

use cloakroom::{MysqlStore, PostgresStore, SqliteStore, Store};
use cloakroom_conformance::stories::{Settings, tell};
use xtask::server::{MariadbServer, PostgresServer};

use super::secrets::Secrets;
use super::{ADMISSIONS, Crowd, bites, files, plant};
use crate::program::{ADAPTERS, Testbed};
use crate::stories;

/// All columns of all rows, the binary ones in hexadecimal, whatever they are called.
const ROWS_OF_MARIADB: &str = "\
SET SESSION group_concat_max_len = 100000;
SELECT CONCAT('SELECT CONCAT_WS(0x20, ', GROUP_CONCAT(CONCAT('HEX(', column_name, ')')), ') FROM cloakroom_sessions')
  INTO @wanted FROM information_schema.columns WHERE table_name = 'cloakroom_sessions';
PREPARE wanted FROM @wanted;
EXECUTE wanted";

#[test]
fn file_of_sqlite_shows_nobody() {
    tell(async {
        for (adapter, arguments) in ADAPTERS.into_iter().zip(ADMISSIONS) {
            let directory = stories::files().join(format!("cloakroom-dump-{:016x}", stories::tag()));
            fs::create_dir(&directory).expect("a directory of its own");
            let url = format!("sqlite:{}", directory.join("sessions.db").display());
            let testbed = Testbed::start_with(adapter, &url, &Settings::new(), arguments).await;
            let crowd = Crowd::at(&testbed).await;
            // With the log of what was written, before the database takes it over and after.
            let names: Vec<_> = fs::read_dir(&directory).expect("a directory").flatten().collect();
            assert!(names.iter().any(|file| file.file_name() == "sessions.db-wal"), "{names:?}");
            let running = files(&directory);
            assert_eq!(testbed.terminate().await, Some(0));
            let ended = files(&directory);
            let secrets = shows_nobody(adapter, &crowd, &[running, ended].concat());
            let store = SqliteStore::connect(&url).await.expect("the same file");
            plant(&store).await;
            bites(&secrets, &files(&directory));
            drop(store);
            fs::remove_dir_all(&directory).expect("it goes");
        }
    });
}

#[test]
#[ignore = "needs postgres: run `cargo xtask test`"]
fn tables_and_files_of_postgres_show_nobody() {
    tell(async {
        for (adapter, arguments) in ADAPTERS.into_iter().zip(ADMISSIONS) {
            let mut server = PostgresServer::start().expect("a server");
            let rows = |server: &PostgresServer| {
                decoded(&server.sql("SELECT * FROM cloakroom_sessions").expect("its rows"))
            };
            let testbed = Testbed::start_with(adapter, &server.url(), &Settings::new(), arguments).await;
            let crowd = Crowd::at(&testbed).await;
            server.sql("CHECKPOINT").expect("it writes");
            let secrets = shows_nobody(adapter, &crowd, &[rows(&server), files(server.directory())].concat());
            planted(PostgresStore::connect(&server.url()).await.expect("the same server")).await;
            bites(&secrets, &rows(&server));
            drop(testbed);
            server.shutdown();
            bites(&secrets, &files(server.directory()));
        }
    });
}

#[test]
#[ignore = "needs mariadb: run `cargo xtask test`"]
fn tables_and_files_of_mariadb_show_nobody() {
    tell(async {
        for (adapter, arguments) in ADAPTERS.into_iter().zip(ADMISSIONS) {
            let mut server = MariadbServer::start().expect("a server");
            let rows = |server: &MariadbServer| decoded(&server.sql(ROWS_OF_MARIADB).expect("its rows"));
            let testbed = Testbed::start_with(adapter, &server.url(), &Settings::new(), arguments).await;
            let crowd = Crowd::at(&testbed).await;
            let running = [rows(&server), files(server.directory())].concat();
            server.shutdown();
            let secrets = shows_nobody(adapter, &crowd, &[running, files(server.directory())].concat());
            server.restart().expect("it comes back");
            planted(MysqlStore::connect(&server.url()).await.expect("the same server")).await;
            bites(&secrets, &rows(&server));
            drop(testbed);
            server.shutdown();
            bites(&secrets, &files(server.directory()));
        }
    });
}

async fn planted(store: impl Store) {
    plant(&store).await;
}

fn shows_nobody(adapter: &str, crowd: &Crowd, dump: &[u8]) -> Secrets {
    let secrets = Secrets::of(&crowd.tokens);
    assert_eq!(secrets.shown_by(dump), [""; 0], "{adapter}: the dump shows it");
    secrets.are_found_in_the_midst_of(dump);
    println!("{adapter}: a dump of {} bytes shows none of {} byte strings", dump.len(), secrets.count());
    secrets
}

/// A text, and the bytes of what is hexadecimal in it.
fn decoded(text: &str) -> Vec<u8> {
    let mut all = text.as_bytes().to_vec();
    for word in text.split(|character: char| !character.is_ascii_hexdigit()) {
        let digits = word.as_bytes().chunks_exact(2).filter_map(|pair| str::from_utf8(pair).ok());
        all.extend(digits.filter_map(|pair| u8::from_str_radix(pair, 16).ok()));
        all.push(b'\n');
    }
    all
}
