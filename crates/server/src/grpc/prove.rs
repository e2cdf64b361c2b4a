//! `GetCheckpoint`, `GetInclusionProof`, `GetConsistencyProof`.

use bytes::Bytes;
use indelible::format::chain::Hash;
use indelible::format::proof::bundle::Bundle;
use indelible::format::record::Record;
use indelible::format::tree::leaf_hash;
use indelible::{InclusionProof, Reader};

use crate::auth::Caller;
use crate::error::{ApiError, Code};
use crate::grpc::read::readable;
use crate::proto::v1;
use crate::read::growth::{self, Size};
use crate::service::Service;

/// Returns the newest signed checkpoint.
pub(super) async fn checkpoint(
    service: &Service,
    caller: &Caller,
    request: v1::GetCheckpointRequest,
) -> Result<v1::GetCheckpointResponse, ApiError> {
    let log = readable(service, caller, &request.log)?;
    let checkpoint = log.read(|_, prover| Ok(prover.checkpoint()?.note.to_string())).await?;
    Ok(v1::GetCheckpointResponse { checkpoint })
}

/// Proves that a record is in the log.
pub(super) async fn inclusion(
    service: &Service,
    caller: &Caller,
    request: v1::GetInclusionProofRequest,
) -> Result<v1::GetInclusionProofResponse, ApiError> {
    let log = readable(service, caller, &request.log)?;
    let v1::GetInclusionProofRequest { seq, tree_size, .. } = request;
    let (proof, tlog_proof) = log
        .read(move |reader, prover| {
            let proof = growth::inclusion(reader, prover, seq, named("tree_size", tree_size))?;
            let bundle = if tree_size == 0 { bundle(reader, &proof)? } else { String::new() };
            Ok((proof, bundle))
        })
        .await?;
    Ok(v1::GetInclusionProofResponse {
        seq,
        tree_size: proof.size,
        hashes: hashes(&proof.hashes),
        leaf_hash: bytes(&proof.leaf),
        checkpoint: proof.checkpoint.note.to_string(),
        tlog_proof,
    })
}

/// The proof as a text that stands alone, with the line in it where it was not pruned.
fn bundle(reader: &Reader, proof: &InclusionProof) -> Result<String, ApiError> {
    let note = proof.checkpoint.note.clone();
    let mut bundle = Bundle::new(proof.seq, proof.hashes.clone(), note);
    if let Some(stored) = reader.record(proof.seq)? {
        let is_signed_one =
            Record::parse(&stored.line).is_ok_and(|record| leaf_hash(&record.hash()) == proof.leaf);
        if !is_signed_one {
            let text =
                "the record is not the one that was signed; the operator should verify the log";
            return Err(ApiError::new(Code::DataLoss, text));
        }
        bundle.extra = Some(stored.line);
    }
    Ok(bundle.to_string())
}

/// Proves that the log only grew.
pub(super) async fn consistency(
    service: &Service,
    caller: &Caller,
    request: v1::GetConsistencyProofRequest,
) -> Result<v1::GetConsistencyProofResponse, ApiError> {
    let log = readable(service, caller, &request.log)?;
    let v1::GetConsistencyProofRequest { from_size, to_size, .. } = request;
    let (from, to) = (Size { field: "from_size", records: from_size }, named("to_size", to_size));
    let proof =
        log.read(move |reader, prover| growth::consistency(reader, prover, from, to)).await?;
    Ok(v1::GetConsistencyProofResponse {
        from_size: proof.from,
        to_size: proof.to,
        hashes: hashes(&proof.hashes),
        checkpoint: proof.checkpoint.note.to_string(),
    })
}

/// A size that may be left out: 0 is that of the newest checkpoint.
fn named(field: &'static str, records: u64) -> Option<Size> {
    (records > 0).then_some(Size { field, records })
}

fn hashes(proof: &[Hash]) -> Vec<Bytes> {
    proof.iter().map(bytes).collect()
}

fn bytes(hash: &Hash) -> Bytes {
    Bytes::copy_from_slice(hash.as_bytes())
}
