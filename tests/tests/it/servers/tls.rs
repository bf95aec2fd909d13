//! Servers speak TLS and nothing else, with certificates of the test's own.

use std::error::Error;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use larder_test::server::{
    CertificateAuthority, ClientAuth, Connection, Identity, RedisOptions, Sandbox, StartError,
    TlsOptions,
};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

use super::{DEADLINE, Outcome, pong};

/// PING by TLS: a client that trusts `authority`, dials `address` by the name `host` and shows
/// `identity`.
pub(super) fn ping(
    address: SocketAddr,
    authority: &CertificateAuthority,
    host: &'static str,
    identity: Option<&Identity>,
) -> Result<String, Box<dyn Error>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(
        authority.certificate_pem().as_bytes(),
    )?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let certificate =
                CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes())?;
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes())?;
            config.with_client_auth_cert(vec![certificate], key)?
        }
    };
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from(host)?)?;
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    let mut stream = Stream::new(&mut client, &mut socket);
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[test]
fn a_client_that_trusts_the_authority_is_served_by_name_and_by_address() -> Outcome {
    let authority = CertificateAuthority::new()?;
    let mut server = RedisOptions::new()
        .with_tls(TlsOptions::new(&authority))
        .start()?;
    assert_eq!(
        server.url(),
        format!("rediss://127.0.0.1:{}", server.port())
    );
    for host in ["localhost", "127.0.0.1"] {
        assert_eq!(
            ping(server.address(), &authority, host, None)?,
            "+PONG\r\n",
            "{host}"
        );
    }
    assert_eq!(server.command(&["PING"])?, pong());
    let mut plain = Connection::open(server.address())?;
    assert!(plain.call(&["PING"]).is_err(), "it speaks without TLS");

    let key = fs::metadata(server.dir().join("server.key"))?;
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    server.restart()?;
    assert_eq!(
        ping(server.address(), &authority, "localhost", None)?,
        "+PONG\r\n"
    );
    Ok(())
}

#[test]
fn a_stranger_s_authority_and_a_wrong_host_are_refused_by_the_client() -> Outcome {
    let (authority, stranger) = (CertificateAuthority::new()?, CertificateAuthority::new()?);
    let elsewhere = TlsOptions::new(&authority).with_names(["redis.example"]);
    let server = RedisOptions::new().with_tls(elsewhere).start()?;
    assert_eq!(
        ping(server.address(), &authority, "redis.example", None)?,
        "+PONG\r\n"
    );
    let wrong_host = ping(server.address(), &authority, "localhost", None).unwrap_err();
    assert!(
        wrong_host.to_string().contains("not valid for name"),
        "{wrong_host}"
    );
    let unknown = ping(server.address(), &stranger, "redis.example", None).unwrap_err();
    assert!(unknown.to_string().contains("certificate"), "{unknown}");
    Ok(())
}

#[test]
fn a_server_asks_for_the_client_s_certificate_as_it_was_told() -> Outcome {
    let (authority, stranger) = (CertificateAuthority::new()?, CertificateAuthority::new()?);
    let (app, forged) = (
        authority.issue_client("app")?,
        stranger.issue_client("app")?,
    );
    let start = |clients| {
        let tls = TlsOptions::new(&authority).with_client_auth(clients);
        RedisOptions::new().with_tls(tls).start()
    };
    for (clients, identity, is_served) in [
        (ClientAuth::Off, None, true),
        (ClientAuth::Optional, None, true),
        (ClientAuth::Optional, Some(&app), true),
        (ClientAuth::Optional, Some(&forged), false),
        (ClientAuth::Required, None, false),
        (ClientAuth::Required, Some(&app), true),
        (ClientAuth::Required, Some(&forged), false),
    ] {
        let server = start(clients)?;
        let answer = ping(server.address(), &authority, "localhost", identity);
        assert_eq!(answer.is_ok(), is_served, "{clients:?}: {answer:?}");
    }
    Ok(())
}

#[test]
fn a_program_without_tls_and_a_name_that_is_none_are_errors_that_say_so() -> Outcome {
    let authority = CertificateAuthority::new()?;
    // Says what a redis-server says that was built without TLS.
    let sandbox = Sandbox::new()?;
    let program = sandbox.path().join("redis-server");
    let script = "#!/bin/sh\necho \"*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n\
                  >>> 'tls-port 1'\nBad directive or wrong number of arguments\"\nexit 1\n";
    fs::write(&program, script)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o700))?;
    let options = RedisOptions::new().with_program(program.to_string_lossy());
    let error = options
        .with_tls(TlsOptions::new(&authority))
        .start()
        .unwrap_err();
    assert!(matches!(error, StartError::NoTls { .. }), "{error}");
    assert!(error.to_string().contains("BUILD_TLS=yes"), "{error}");

    let nowhere = TlsOptions::new(&authority).with_names(["nö"]);
    let error = RedisOptions::new().with_tls(nowhere).start().unwrap_err();
    assert!(format!("{error:?}").contains("host name"), "{error:?}");
    Ok(())
}
