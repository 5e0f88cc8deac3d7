//! Bundles of Sigstore: whether the signature on a statement is one, and whose.
//!
//! Invariants: whatever the trusted root names is asked for, so a root with a log takes no bundle
//! without an entry in it; nothing is fetched; a bundle that cannot be read is an error and never a
//! reason to believe less strictly.

use sigstore_verify::crypto::CertificateInfo;
use sigstore_verify::trust_root::{
    SIGSTORE_GITHUB_TRUSTED_ROOT, SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot,
};
use sigstore_verify::types::{Bundle, Sha256Hash, SignatureContent};
use sigstore_verify::{VerificationPolicy, VerificationResult, Verifier};

use crate::core::manifest::Digest;
use crate::core::provenance::Signer;

/// Larger bundles are not read, in bytes.
pub const LARGEST_BUNDLE: u64 = 16 * 1024 * 1024;

/// Why a bundle proves nothing.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum AttestationError {
    #[error("the trusted root cannot be used: {0}")]
    Root(String),
    #[error("it is no bundle of Sigstore: {0}")]
    Malformed(String),
    #[error("it holds no in-toto statement")]
    NoStatement,
    #[error("its signature does not hold: {0}")]
    NotSigned(String),
    #[error("its certificate does not say {0}")]
    NotSaid(&'static str),
}

/// Whom to believe.
pub struct TrustedRoots(Vec<TrustDomain>);

struct TrustDomain {
    verifier: Verifier,
    policy: VerificationPolicy,
}

/// A bundle that was read and is not believed yet.
#[derive(Debug)]
pub struct AttestationBundle {
    bundle: Bundle,
    statement: Vec<u8>,
}

impl TrustedRoots {
    /// Those that GitHub's attestations rest on: Sigstore's public one, and GitHub's own for
    /// private repositories, as the library has them.
    ///
    /// # Errors
    /// When the library's are unusable.
    pub fn of_github() -> Result<Self, AttestationError> {
        let texts = [SIGSTORE_PRODUCTION_TRUSTED_ROOT, SIGSTORE_GITHUB_TRUSTED_ROOT];
        texts.into_iter().map(TrustDomain::read).collect::<Result<_, _>>().map(Self)
    }

    /// One of somebody's own, in Sigstore's format.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_text(text: &str) -> Result<Self, AttestationError> {
        Ok(Self(vec![TrustDomain::read(text)?]))
    }
}

impl TrustDomain {
    fn read(text: &str) -> Result<Self, AttestationError> {
        let unusable = |error: &dyn std::error::Error| AttestationError::Root(error.to_string());
        let root = TrustedRoot::from_json(text).map_err(|error| unusable(&error))?;
        let mut policy = VerificationPolicy::any_identity();
        if root.tlogs.is_empty() {
            policy = policy.skip_tlog_unsafe();
        }
        if root.ctlogs.is_empty() {
            policy = policy.skip_sct();
        }
        let verifier = Verifier::new(&root).map_err(|error| unusable(&error))?;
        Ok(Self { verifier, policy })
    }
}

impl AttestationBundle {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or not of a statement.
    pub fn read(text: &str) -> Result<Self, AttestationError> {
        let bundle = Bundle::from_json(text);
        let bundle = bundle.map_err(|error| AttestationError::Malformed(error.to_string()))?;
        let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
            return Err(AttestationError::NoStatement);
        };
        let statement = envelope.payload.as_bytes().to_vec();
        Ok(Self { bundle, statement })
    }

    /// The statement, whether or not anybody signed it.
    pub fn statement(&self) -> &[u8] {
        &self.statement
    }

    /// Who signed it; the file with this digest is one of those it is about.
    ///
    /// # Errors
    /// When nobody that is trusted did.
    pub fn signer(&self, file: &Digest, roots: &TrustedRoots) -> Result<Signer, AttestationError> {
        let digest = Sha256Hash::from_hex(file.as_str());
        let digest = digest.map_err(|error| AttestationError::Malformed(error.to_string()))?;
        let mut last = String::new();
        for root in &roots.0 {
            match root.verifier.verify(digest, &self.bundle, &root.policy) {
                Ok(result) => return signer(&result),
                // What the first root says is of most bundles.
                Err(error) if last.is_empty() => last = error.to_string(),
                Err(_) => {}
            }
        }
        Err(AttestationError::NotSigned(last))
    }
}

/// What the certificate of a signature that holds says.
fn signer(result: &VerificationResult) -> Result<Signer, AttestationError> {
    // A relaxed policy would leave it unchecked.
    let certificate = result.certificate().filter(|_| result.certificate_verified());
    let certificate: &CertificateInfo = certificate.ok_or(AttestationError::NoStatement)?;
    let claims = &certificate.ci_claims;
    let said = |claim: &Option<String>, what: &'static str| {
        claim.clone().ok_or(AttestationError::NotSaid(what))
    };
    Ok(Signer {
        issuer: said(&certificate.issuer, "who vouches for the signer")?,
        workflow: said(
            &certificate.identity.as_ref().map(|it| it.as_str().to_owned()),
            "which workflow signed it",
        )?,
        repository: said(&claims.source_repository_uri, "which repository signed it")?,
        repository_id: said(&claims.source_repository_identifier, "the repository's number")?,
        commit: said(&claims.build_signer_digest, "the commit of the workflow file")?,
        trigger: said(&claims.build_trigger, "what started the run")?,
        runner: said(&claims.runner_environment, "on what machine it was signed")?,
        run: said(&claims.run_invocation_uri, "which run signed it")?,
    })
}
