//! What stands in for Sigstore: an authority that gives a workload a certificate for minutes, and a
//! log that keeps what was signed with it.
//!
//! Invariants: every part is signed for real, by keys of this one service, so that whoever trusts
//! its root can check a bundle as they would one of GitHub's; a key signs once and is forgotten.
//! What is not here: timestamps of another authority, and the logs of certificates.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
    SigningKey,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Who asks for a signature: what a job's token says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Workload {
    /// Who vouches for the rest.
    pub issuer: String,
    /// The workflow file with its branch, as
    /// `https://github.com/acme/widgets/.github/workflows/release.yml@refs/heads/main`.
    pub workflow: String,
    pub repository: String,
    pub repository_id: u64,
    /// The commit that the workflow file is of.
    pub commit: String,
    /// As `refs/heads/main`.
    pub branch: String,
    /// What started the run, as `repository_dispatch`.
    pub trigger: String,
    /// The page of the run.
    pub run: String,
    /// `github-hosted` or `self-hosted`.
    pub runner: String,
}

/// The service.
pub struct SigningService {
    authority: CertifiedIssuer<'static, KeyPair>,
    log: KeyPair,
}

/// What went wrong; nothing but the generation of keys can.
#[derive(Debug, thiserror::Error)]
#[error("a certificate or signature could not be made")]
pub struct SigningError(#[from] rcgen::Error);

/// The number of Fulcio's extensions, and its values as text.
const FULCIO: [u64; 9] = [1, 3, 6, 1, 4, 1, 57264, 1, 0];
/// How long a certificate is good for.
const MINUTES: i64 = 10;

impl fmt::Debug for SigningService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningService").finish_non_exhaustive()
    }
}

impl SigningService {
    /// One with keys of its own.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new() -> Result<Self, SigningError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("A root of nobody's");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Self { authority, log: KeyPair::generate()? })
    }

    /// What people have to trust, in Sigstore's format.
    pub fn trusted_root(&self) -> String {
        let since = "2020-01-01T00:00:00Z";
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": "https://log.test",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": BASE64.encode(self.log.subject_public_key_info()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": {"start": since},
                },
                "logId": {"keyId": BASE64.encode(self.log_id())},
            }],
            "certificateAuthorities": [{
                "subject": {"organization": "Nobody", "commonName": "A root of nobody's"},
                "uri": "https://authority.test",
                "certChain": {"certificates": [{"rawBytes": BASE64.encode(self.authority.der())}]},
                "validFor": {"start": since},
            }],
            "ctlogs": [],
            "timestampAuthorities": [],
        });
        root.to_string()
    }

    /// A bundle with an in-toto statement, signed for a workload at a moment, in seconds.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn attest(
        &self,
        statement: &[u8],
        workload: &Workload,
        now: i64,
    ) -> Result<String, SigningError> {
        const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
        let key = KeyPair::generate()?;
        let certificate = self.certificate(&key, workload, now)?;
        let mut signed = format!("DSSEv1 {} {PAYLOAD_TYPE} ", PAYLOAD_TYPE.len()).into_bytes();
        signed.extend(format!("{} ", statement.len()).into_bytes());
        signed.extend(statement);
        let signature = BASE64.encode(key.sign(&signed)?);
        let envelope = json!({
            "payload": BASE64.encode(statement),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": signature}],
        });
        let entry = self.logged(&envelope, statement, &certificate, now)?;
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": BASE64.encode(&certificate)},
                "tlogEntries": [entry],
            },
            "dsseEnvelope": envelope,
        });
        Ok(bundle.to_string())
    }

    fn certificate(
        &self,
        key: &KeyPair,
        workload: &Workload,
        now: i64,
    ) -> Result<Vec<u8>, SigningError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(workload.workflow.as_str().try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        params.use_authority_key_identifier_extension = true;
        params.not_before = moment(now);
        params.not_after = moment(now + MINUTES * 60);
        let id = workload.repository_id.to_string();
        params.custom_extensions = [
            (8, workload.issuer.as_str()),
            (9, &workload.workflow),
            (10, &workload.commit),
            (11, &workload.runner),
            (12, &workload.repository),
            (13, &workload.commit),
            (14, &workload.branch),
            (15, &id),
            (18, &workload.workflow),
            (19, &workload.commit),
            (20, &workload.trigger),
            (21, &workload.run),
        ]
        .into_iter()
        .map(|(number, text)| extension(number, text))
        .collect();
        Ok(params.signed_by(key, &self.authority)?.der().to_vec())
    }

    /// The log's entry; each is the only one of its tree.
    fn logged(
        &self,
        envelope: &Value,
        statement: &[u8],
        certificate: &[u8],
        now: i64,
    ) -> Result<Value, SigningError> {
        let pem = pem(certificate);
        let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": hex::encode(Sha256::digest(bytes))});
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": hash(envelope.to_string().as_bytes()),
                "payloadHash": hash(statement),
                "signatures": [{
                    "signature": envelope["signatures"][0]["sig"],
                    "verifier": BASE64.encode(pem),
                }],
            },
        });
        let body = body.to_string();
        let root = Sha256::new().chain_update([0]).chain_update(&body).finalize();
        let note = format!("log.test\n1\n{}\n", BASE64.encode(root));
        let mut line = self.log_id()[..4].to_vec();
        line.extend(self.log.sign(note.as_bytes())?);
        let checkpoint = format!("{note}\n\u{2014} log.test {}\n", BASE64.encode(line));
        // Its keys stand in the order that is signed.
        let promised = json!({
            "body": BASE64.encode(&body),
            "integratedTime": now,
            "logID": hex::encode(self.log_id()),
            "logIndex": 0,
        });
        let promise = BASE64.encode(self.log.sign(promised.to_string().as_bytes())?);
        Ok(json!({
            "logIndex": "0",
            "logId": {"keyId": BASE64.encode(self.log_id())},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": now.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": promise},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": BASE64.encode(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": checkpoint},
            },
            "canonicalizedBody": BASE64.encode(&body),
        }))
    }

    fn log_id(&self) -> Vec<u8> {
        Sha256::digest(self.log.subject_public_key_info()).to_vec()
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::OrganizationName, "Nobody");
    named.push(DnType::CommonName, name);
    named
}

/// One of Fulcio's, as text in DER.
fn extension(number: u64, text: &str) -> CustomExtension {
    let mut oid = FULCIO;
    oid[8] = number;
    let mut content = vec![0x0c];
    match u8::try_from(text.len()) {
        Ok(short @ 0..=127) => content.push(short),
        Ok(byte) => content.extend([0x81, byte]),
        Err(_) => {
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
            content.extend([0x82, length[0], length[1]]);
        }
    }
    content.extend(text.bytes());
    CustomExtension::from_oid_content(&oid, content)
}

fn pem(certificate: &[u8]) -> String {
    let text = BASE64.encode(certificate);
    let lines: Vec<&str> =
        (0..text.len()).step_by(64).map(|at| &text[at..text.len().min(at + 64)]).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// A moment as certificates have it.
fn moment(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}
