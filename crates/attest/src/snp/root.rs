//! AMD's roots: one for each product, pinned.

use std::borrow::Cow;

use crate::snp::tcb::SnpProduct;

/// The roots that vouch for SEV-SNP platforms: the certificates (DER) of AMD's root keys (ARK). The default is AMD's
/// own three, from `https://kdsintf.amd.com/vcek/v1/PRODUCT/cert_chain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmdRoots {
    milan: Cow<'static, [u8]>,
    genoa: Cow<'static, [u8]>,
    turin: Cow<'static, [u8]>,
}

impl AmdRoots {
    /// Another certificate (DER) in the place of all three of AMD's. Whoever holds its key can be any platform: it is
    /// for the forge of our tests, and nothing else.
    pub fn danger_other(certificate: Vec<u8>) -> Self {
        let one: Cow<'static, [u8]> = Cow::Owned(certificate);
        AmdRoots { milan: one.clone(), genoa: one.clone(), turin: one }
    }

    /// The certificate (DER) of a product's root.
    pub fn certificate(&self, product: SnpProduct) -> &[u8] {
        match product {
            SnpProduct::Milan => &self.milan,
            SnpProduct::Genoa => &self.genoa,
            SnpProduct::Turin => &self.turin,
        }
    }
}

impl Default for AmdRoots {
    fn default() -> Self {
        AmdRoots {
            milan: Cow::Borrowed(include_bytes!("amd/milan-ark.der")),
            genoa: Cow::Borrowed(include_bytes!("amd/genoa-ark.der")),
            turin: Cow::Borrowed(include_bytes!("amd/turin-ark.der")),
        }
    }
}

/// The certificate (DER) of the CA that issues a product's VCEKs (ASK). It is signed by the root and so needs no trust;
/// having it here saves fetching what never changes.
pub(super) const fn ask(product: SnpProduct) -> &'static [u8] {
    match product {
        SnpProduct::Milan => include_bytes!("amd/milan-ask.der"),
        SnpProduct::Genoa => include_bytes!("amd/genoa-ask.der"),
        SnpProduct::Turin => include_bytes!("amd/turin-ask.der"),
    }
}

#[cfg(test)]
mod tests {
    use crypto::hash::{Sha256, hex};

    use super::*;

    #[test]
    fn the_roots_are_amds() {
        let fingerprints = [
            (SnpProduct::Milan, "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd"),
            (SnpProduct::Genoa, "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1"),
            (SnpProduct::Turin, "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a"),
        ];
        for (product, fingerprint) in fingerprints {
            assert_eq!(hex(&Sha256::digest(AmdRoots::default().certificate(product))), fingerprint);
        }
    }
}
