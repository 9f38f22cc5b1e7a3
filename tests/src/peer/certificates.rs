//! Certificates for tests: an authority, servers and clients, in files of a directory of their own.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SanType, SerialNumber,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sanderling_runtime::TlsFiles;
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

/// The authority, and a directory for what it issues.
pub struct Certificates {
    directory: PathBuf,
    authority: Issuer<'static, KeyPair>,
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Certificates")
            .field(&self.directory)
            .finish()
    }
}

impl Certificates {
    /// Those of this process, made when they are needed first.
    ///
    /// # Panics
    /// The directory of the build cannot be written to.
    pub fn get() -> &'static Self {
        static ONCE: OnceLock<Certificates> = OnceLock::new();
        ONCE.get_or_init(|| {
            let name = format!("certificates-{}", std::process::id());
            let made = Self::new(Path::new(env!("OUT_DIR")).join(name));
            made.issue("server", |params| {
                params.subject_alt_names = vec![
                    SanType::DnsName("localhost".try_into().expect("a name")),
                    SanType::IpAddress([127, 0, 0, 1].into()),
                ];
            });
            made
        })
    }

    /// An authority of its own.
    ///
    /// # Panics
    /// The directory cannot be written to.
    pub fn new(directory: PathBuf) -> Self {
        fs::create_dir_all(&directory).expect("a directory");
        let key = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Test authority");
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(directory.join("ca.pem"), certificate.pem()).expect("a file");
        Self {
            directory,
            authority: Issuer::new(params, key),
        }
    }

    /// Issues a certificate: `NAME.pem` and `NAME.key`.
    ///
    /// # Panics
    /// The directory cannot be written to.
    pub fn issue(&self, name: &str, describe: impl FnOnce(&mut CertificateParams)) {
        let key = KeyPair::generate().expect("randomness");
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        describe(&mut params);
        let certificate = params
            .signed_by(&key, &self.authority)
            .expect("a certificate");
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).expect("a file");
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).expect("a file");
    }

    /// Writes `NAME.crl`: certificates with these serial numbers are revoked.
    ///
    /// # Panics
    /// The directory cannot be written to.
    pub fn revoke(&self, name: &str, serial_numbers: &[u64]) {
        let day = |days| rcgen::date_time_ymd(2020 + days, 1, 1);
        let list = CertificateRevocationListParams {
            this_update: day(0),
            next_update: day(79),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serial_numbers
                .iter()
                .map(|&number| RevokedCertParams {
                    serial_number: SerialNumber::from(number),
                    revocation_time: day(1),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.authority).expect("a list");
        let pem = list.pem().expect("a list");
        fs::write(self.path(&format!("{name}.crl")), pem).expect("a file");
    }

    /// A file of the directory.
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A server that shows the certificate with this name.
    pub fn server(&self, name: &str) -> TlsFiles {
        TlsFiles::new(
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.key")),
        )
    }

    /// A client that trusts the authority, and shows the certificate with this name.
    ///
    /// # Panics
    /// There is no such certificate.
    pub fn client_config(&self, name: Option<&str>) -> Arc<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(self.path("ca.pem")).expect("a certificate");
        roots.add(authority).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider's own")
            .with_root_certificates(roots);
        let Some(name) = name else {
            return Arc::new(builder.with_no_client_auth());
        };
        let chain = CertificateDer::from_pem_file(self.path(&format!("{name}.pem")));
        let key = PrivateKeyDer::from_pem_file(self.path(&format!("{name}.key")));
        let (chain, key) = (chain.expect("a certificate"), key.expect("a key"));
        let config = builder.with_client_auth_cert(vec![chain], key);
        Arc::new(config.expect("they belong together"))
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        // Those of the process are never dropped; they stay with the other products of the build.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
