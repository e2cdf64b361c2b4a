//! The names in a client's certificate.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The URI names, then the DNS names, of a certificate that was verified. A DNS name with a wildcard is
/// nobody's.
pub(super) fn of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = EndEntityCert::try_from(certificate) else { return Vec::new() };
    let dns = certificate.valid_dns_names().filter(|name| !name.contains('*'));
    certificate.valid_uri_names().chain(dns).map(str::to_owned).collect()
}
