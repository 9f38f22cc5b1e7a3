//! Who issues: read from its files, or made when there are none.

use super::{CertError, directory::Directory};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData,
};
use std::hash::{BuildHasher, RandomState};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::parse_x509_pem;

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";
/// An authority is made for ten years, or for longer if what it issues shall be valid for longer.
const DAYS: u16 = 3650;

pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    not_after: OffsetDateTime,
    pub(super) is_new: bool,
}

impl Authority {
    pub(super) fn open_or_make(directory: &Directory, days: u16) -> Result<Self, CertError> {
        match (directory.exists(CERTIFICATE), directory.exists(KEY)) {
            (true, true) => Self::open(directory),
            (false, false) => Self::make(directory, days.max(DAYS)),
            (true, false) => Err(directory.half(CERTIFICATE, KEY)),
            (false, true) => Err(directory.half(KEY, CERTIFICATE)),
        }
    }

    fn open(directory: &Directory) -> Result<Self, CertError> {
        let unusable = |file, what: &str| CertError::Unusable {
            path: directory.path(file),
            what: what.to_owned(),
        };
        let text = directory.read(CERTIFICATE)?;
        let key = KeyPair::from_pem(&directory.read(KEY)?)
            .map_err(|_| unusable(KEY, "there is no private key in it that can be used"))?;
        let (_, pem) = parse_x509_pem(text.as_bytes())
            .map_err(|_| unusable(CERTIFICATE, "there is no certificate in it"))?;
        let certificate = pem
            .parse_x509()
            .map_err(|_| unusable(CERTIFICATE, "its certificate cannot be read"))?;
        if !certificate.is_ca() {
            return Err(unusable(
                CERTIFICATE,
                "it is no certificate of an authority",
            ));
        }
        if certificate.public_key().raw != key.subject_public_key_info() {
            return Err(unusable(
                KEY,
                "it is not the key of the certificate in ca.pem",
            ));
        }
        let not_after = certificate.validity().not_after.to_datetime();
        if not_after <= OffsetDateTime::now_utc() {
            return Err(unusable(
                CERTIFICATE,
                "the authority has expired; make another with --dir",
            ));
        }
        let issuer = Issuer::from_ca_cert_pem(&text, key).map_err(CertError::Generate)?;
        Ok(Self {
            issuer,
            not_after,
            is_new: false,
        })
    }

    fn make(directory: &Directory, days: u16) -> Result<Self, CertError> {
        let key = KeyPair::generate().map_err(CertError::Generate)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = begin();
        params.not_after = OffsetDateTime::now_utc() + Duration::days(days.into());
        params.distinguished_name = rcgen::DistinguishedName::new();
        // Programs that know several authorities tell them apart by their names.
        let mark = RandomState::new().hash_one(std::process::id()) as u32;
        let name = format!("Sanderling development CA {mark:08x}");
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).map_err(CertError::Generate)?;
        directory.create()?;
        directory.write(KEY, &key.serialize_pem())?;
        directory.write(CERTIFICATE, &certificate.pem())?;
        Ok(Self {
            not_after: params.not_after,
            issuer: Issuer::new(params, key),
            is_new: true,
        })
    }

    /// When a certificate ends that is issued for so many days: not after its issuer.
    pub(super) fn until(&self, days: u16) -> OffsetDateTime {
        let asked = OffsetDateTime::now_utc() + Duration::days(days.into());
        asked.min(self.not_after)
    }

    /// A certificate and its new key, in PEM.
    pub(super) fn issue(&self, params: &CertificateParams) -> Result<(String, String), CertError> {
        let key = KeyPair::generate().map_err(CertError::Generate)?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(CertError::Generate)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// Clocks differ: what is made now is valid since yesterday.
pub(super) fn begin() -> OffsetDateTime {
    OffsetDateTime::now_utc() - Duration::days(1)
}
