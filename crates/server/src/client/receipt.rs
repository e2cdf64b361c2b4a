//! Takes a receipt off the wire.

use indelible::Receipt;
use indelible::format::time::Timestamp;

use crate::proto::v1;

/// The receipt of a message; `None` where its texts are none that a receipt has.
pub(super) fn receipt(message: &v1::Receipt) -> Option<Receipt> {
    let (log_id, hash) = (message.log_id.parse().ok()?, message.hash.parse().ok()?);
    let timestamp = Timestamp::parse(message.timestamp.as_bytes())?;
    let mut receipt = Receipt::new(log_id, message.seq, timestamp, hash);
    receipt.duplicate = message.duplicate;
    Some(receipt)
}
