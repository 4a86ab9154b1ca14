//! An authority with certificates for an engine of 127.0.0.1 and for who may use it, made anew for each engine.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use std::{fs, path::Path};

/// Fills a folder as Docker's own command line wants it, and adds what the engine itself needs.
pub(crate) fn make(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, format!("authority in {}", folder.display()));
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    let both = [
        ("engine.pem", "engine-key.pem", "127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth),
        ("cert.pem", "key.pem", "tests", ExtendedKeyUsagePurpose::ClientAuth),
    ];
    for (certificate, key, name, usage) in both {
        let own = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        fs::write(folder.join(certificate), params.signed_by(&own, &authority).unwrap().pem()).unwrap();
        fs::write(folder.join(key), own.serialize_pem()).unwrap();
    }
}
