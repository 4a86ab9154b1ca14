//! Engines that are elsewhere, as far as anybody can tell: over TLS, and by ssh. What is wrong on the
//! way there is told, with the way out.

use crate::{
    place::{Place, launch, script, stop},
    support::{self, authority, pause, sshd::Sshd},
};
use std::{
    error::Error as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};
use tokio::io::AsyncWriteExt as _;
use wharf_docker::DockerReader;
use wharf_model::{Mount, Phase};
use wharf_provider::{Observe as _, ProviderError, Scope};

/// A project on the engine that speaks TLS, with a copy of what it takes that the test may spoil.
fn secured() -> (Place, PathBuf) {
    let (host, folder) = support::host_tls();
    let mut place = Place::on(host);
    let own = place.project().join("certs");
    fs::create_dir(&own).unwrap();
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        fs::copy(folder.join(file), own.join(file)).unwrap();
    }
    place.certificates = Some(own.clone());
    (place, own)
}

/// Why the engine cannot be looked at: the sentence, the cause, the way out.
async fn trouble(place: &Place) -> (String, String, String) {
    let looked = match DockerReader::new(place.settings()) {
        Ok(reader) => reader.observe(&Scope::default()).await.map(drop),
        Err(error) => Err(error),
    };
    let error = looked.expect_err("it is nowhere to be seen");
    assert!(!matches!(error, ProviderError::Unreachable { .. }), "not tried again: {error:?}");
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    (error.to_string(), cause, error.help().unwrap_or_default().to_owned())
}

/// Starts an instance there, talks to it, and stops it.
async fn live(place: &Place) {
    let template = script("echo began; while read -r line; do :; done; exec sleep 1000");
    let launch = launch(template);
    place.start(&launch).await;
    place.line("began").await;
    let seen = place.see(&launch.instance).await;
    assert!(matches!(seen.phase, Phase::Running { .. }), "{seen:?}");
    place.run(&stop(&launch.instance)).await.unwrap();
    assert!(place.look().await.instances.is_empty());
}

#[tokio::test]
async fn an_instance_lives_on_an_engine_over_tls() {
    let (place, _) = secured();
    live(&place).await;
    // Its folders are taken for those of another machine.
    let folder = wharf_model::FolderPath("./certs".into());
    let mount = Mount::folder(folder, wharf_model::Access::LiveReadWrite);
    let launch = launch(crate::place::with_mount(script("exec sleep 1000"), "/mnt/x", mount));
    let error = place.run(&crate::place::start(&launch)).await.unwrap_err();
    assert!(error.to_string().contains("is on this machine, and the engine is not"), "{error}");
}

#[tokio::test]
async fn what_certificates_lack_is_told_by_the_file() {
    let (place, certs) = secured();
    let file = |name: &str| certs.join(name).display().to_string();
    let moved = |name: &str| fs::rename(certs.join(name), certs.join("away")).unwrap();
    let back = |name: &str| fs::rename(certs.join("away"), certs.join(name)).unwrap();

    for name in ["ca.pem", "cert.pem", "key.pem"] {
        moved(name);
        let (told, cause, help) = trouble(&place).await;
        let attempt = format!("cannot use the engine at {}: cannot read {}", place.host, file(name));
        assert_eq!((told, cause.contains("No such file")), (attempt, true), "{cause}");
        assert!(help.contains("DOCKER_CERT_PATH"), "{help}");
        back(name);
    }

    fs::write(certs.join("away"), "nothing of the kind").unwrap();
    fs::rename(certs.join("ca.pem"), certs.join("kept")).unwrap();
    back("ca.pem");
    let (told, ..) = trouble(&place).await;
    assert!(told.ends_with(&format!("{} holds no certificate", file("ca.pem"))), "{told}");
    fs::rename(certs.join("kept"), certs.join("ca.pem")).unwrap();

    let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
    fs::write(certs.join("key.pem"), other).unwrap();
    let (told, _, help) = trouble(&place).await;
    let words = format!("the key in {} is not that of the certificate in {}", file("key.pem"), file("cert.pem"));
    assert!(told.ends_with(&words), "{told}");
    assert!(help.contains("made together"), "{help}");
}

#[tokio::test]
async fn an_engine_of_another_authority_is_not_trusted() {
    let (place, certs) = secured();
    let others = certs.join("others");
    authority::make(&others);

    take(&others, &certs, &["ca.pem"]);
    let (told, cause, help) = trouble(&place).await;
    let address = place.host.trim_start_matches("tcp://");
    let words = format!("the certificate of {address} is of no authority in {}", certs.join("ca.pem").display());
    assert!(told.starts_with("cannot look at the engine at tcp://") && told.ends_with(&words), "{told}");
    assert!(cause.contains("UnknownIssuer") && help.contains("authority"), "{cause}; {help}");
}

#[tokio::test]
async fn an_engine_is_called_by_a_name_of_its_certificate() {
    let (mut place, _) = secured();
    place.host = place.host.replace("127.0.0.1", "localhost");
    let (told, _, help) = trouble(&place).await;
    assert!(told.ends_with("is for other names than localhost"), "{told}");
    assert!(help.contains("as its certificate does"), "{help}");
}

#[tokio::test]
async fn an_engine_tells_that_it_wants_a_certificate() {
    let (mut place, certs) = secured();
    let address = place.host.trim_start_matches("tcp://").to_owned();

    // Of another authority.
    let others = certs.join("others");
    authority::make(&others);
    take(&others, &certs, &["cert.pem", "key.pem"]);
    let (told, ..) = trouble(&place).await;
    let words = format!("the engine at {address} refuses {}", certs.join("cert.pem").display());
    assert!(told.ends_with(&words), "{told}");

    // None at all.
    fs::remove_file(certs.join("cert.pem")).unwrap();
    fs::remove_file(certs.join("key.pem")).unwrap();
    let (told, _, help) = trouble(&place).await;
    assert!(told.ends_with(&format!("the engine at {address} wants to know who asks")), "{told}");
    assert!(help.contains("`cert.pem` and `key.pem`"), "{help}");

    // And no word of TLS.
    place.certificates = None;
    let (told, cause, help) = trouble(&place).await;
    assert!(told.starts_with("cannot look at the engine at tcp://"), "{told}");
    assert!(cause.contains("HTTPS server") && help.contains("certificates="), "{cause}; {help}");
}

#[tokio::test]
async fn what_speaks_no_tls_is_told() {
    let (mut place, _) = secured();
    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    place.host = format!("tcp://{address}");
    let speaks = tokio::spawn(async move {
        while let Ok((mut stream, _)) = plain.accept().await {
            drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await);
        }
    });
    let (told, _, help) = trouble(&place).await;
    speaks.abort();
    assert!(told.ends_with(&format!("what listens at {address} does not speak TLS")), "{told}");
    assert!(help.contains("leave the certificates out"), "{help}");
    // Nothing is left there that the place could take away.
    place.host = support::host_tls().0;
}

/// A project on the usual engine, to which this server leads.
fn behind(sshd: &Sshd) -> Place {
    let mut place = Place::on(String::new());
    place.host = sshd.host(&sshd.path_to(support::host().trim_start_matches("unix://")));
    place.ssh = sshd.words("known", "key");
    place
}

/// Where programs are found on this machine, and Docker's command line among them.
fn path() -> String {
    std::env::var("PATH").unwrap()
}

/// Waits until nothing is left of whoever went through the server.
async fn left(sshd: &Sshd) {
    let begin = Instant::now();
    while !sshd.clients().is_empty() {
        assert!(begin.elapsed() < support::PATIENCE, "left behind: {:?}", sshd.clients());
        pause().await;
    }
}

#[tokio::test]
async fn an_instance_lives_on_an_engine_behind_ssh() {
    let sshd = Sshd::start(&path());
    let place = behind(&sshd);
    live(&place).await;
    // Its folders are taken for those of another machine.
    let mount = Mount::folder(wharf_model::FolderPath(".".into()), wharf_model::Access::LiveReadWrite);
    let launch = launch(crate::place::with_mount(script("exec sleep 1000"), "/mnt/x", mount));
    let error = place.run(&crate::place::start(&launch)).await.unwrap_err();
    assert!(error.to_string().contains("is on this machine, and the engine is not"), "{error}");
    drop(place);
    left(&sshd).await;
}

#[tokio::test]
async fn connections_are_made_once_and_used_again() {
    let sshd = Sshd::start(&path());
    let place = behind(&sshd);
    let reader = DockerReader::new(place.settings()).unwrap();
    for _ in 0..5 {
        reader.observe(&Scope::default()).await.unwrap();
    }
    let ours = sshd.clients().into_iter().filter(|line| line.starts_with("ssh ")).count();
    assert!((1..=3).contains(&ours), "{:?}", sshd.clients());
    drop(reader);
    left(&sshd).await;
}

#[tokio::test]
async fn what_ssh_lacks_is_told_in_its_words() {
    let sshd = Sshd::start(&path());
    let mut place = behind(&sshd);
    let good = place.host.clone();
    let check = async |place: &Place, says: &str, because: &str, way_out: &str| {
        let (told, cause, help) = trouble(place).await;
        assert!(told.contains("the engine at ssh://") && told.ends_with(says), "{told}: {cause}");
        assert!(cause.contains(because) && help.contains(way_out), "{cause}; {help}");
    };
    let address = good.split('/').nth(2).unwrap();
    let (user, port) = address.split_once(':').unwrap();
    let called = format!("{user} -p {port}");

    place.ssh = vec!["/nowhere/ssh".into()];
    check(&place, "cannot run `/nowhere/ssh`", "No such file", "openssh-client").await;

    place.ssh = sshd.words("unknown", "key");
    let says = format!("ssh does not know {called} for the machine that it is");
    check(&place, &says, "ssh says: Host key verification failed", &format!("run `ssh {called}` once")).await;

    place.ssh = sshd.words("known", "other");
    check(&place, &format!("{called} does not let ssh in"), "Permission denied (publickey)", "BatchMode=yes").await;

    place.ssh = sshd.words("known", "key");
    place.host = "ssh://no..where".to_owned();
    check(&place, "ssh knows no host no..where", "Could not resolve hostname", "`ssh no..where` must get there").await;

    place.host = sshd.host("/nowhere/docker.sock");
    let says = format!("ssh reaches {called}, and no Docker Engine listens there");
    check(&place, &says, "/nowhere/docker.sock", "where its socket is").await;

    let bare = Sshd::start("/nowhere");
    (place.host, place.ssh) = (bare.host(""), bare.words("known", "key"));
    let (told, cause, help) = trouble(&place).await;
    assert!(told.ends_with("and there is no `docker` there") && cause.contains("not found"), "{told}: {cause}");
    assert!(help.contains("docker system dial-stdio"), "{help}");

    place.host = good;
    place.ssh = sshd.words("known", "key");
}

/// Who is killed by the test below while it listens to the engine.
#[tokio::test]
#[ignore = "it listens until it is killed"]
async fn listens() {
    let (Ok(host), Ok(settings)) = (std::env::var("LISTENS_HOST"), std::env::var("LISTENS_SSH")) else { return };
    let mut place = Place::on(host);
    place.ssh = vec!["ssh".into(), "-F".into(), settings.into()];
    let reader = DockerReader::new(place.settings()).unwrap();
    let begin = Instant::now();
    while begin.elapsed() < support::PATIENCE {
        reader.observe(&Scope::default()).await.unwrap();
    }
}

#[tokio::test]
async fn one_who_is_killed_leaves_no_ssh_behind() {
    let sshd = Sshd::start(&path());
    let place = behind(&sshd);
    let mut killed = Command::new(std::env::current_exe().unwrap());
    killed.args(["--exact", "remote::listens", "--ignored"]).env("LISTENS_HOST", &place.host);
    // What it has on the disk goes with the test.
    killed.env("LISTENS_SSH", &place.ssh[2]).env("TMPDIR", sshd.folder()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut killed = killed.spawn().unwrap();
    let begin = Instant::now();
    while !sshd.clients().iter().any(|line| line.starts_with("docker ")) {
        assert!(begin.elapsed() < support::PATIENCE, "nobody comes: {:?}", sshd.clients());
        pause().await;
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    left(&sshd).await;
}

fn take(from: &Path, to: &Path, files: &[&str]) {
    for file in files {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
}
