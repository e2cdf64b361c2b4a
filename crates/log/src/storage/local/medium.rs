//! Which file systems are of this machine, by the numbers that `statfs` tells.
//!
//! Everything that is not listed counts as local.

use crate::storage::Medium;

/// File systems over a network, shared between machines, or of a process, by `f_type` (Linux `magic.h`, and the
/// projects' own headers for those outside the kernel).
const NETWORKS: &[(u64, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x564C, "NCP"),
    (0x0102_1997, "9p"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x7461_636F, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x1983_0326, "BeeGFS"),
    (0xAAD7_AAEA, "PanFS"),
    (0x2003_0528, "OrangeFS"),
    (0xBEEF_DEAD, "StorNext"),
    (0x6163_6673, "ACFS"),
    (0x6573_5546, "FUSE"),
    (0x6573_5543, "FUSE"),
    (0x786F_4256, "VirtualBox shared folders"),
    (0xBACB_ACBC, "VMware shared folders"),
    (0x7C7C_6673, "Parallels shared folders"),
];

/// What the file system is that answered so.
pub(super) fn of(answer: &rustix::fs::StatFs) -> Medium {
    // A number that is negative on a machine of 32 bits is nothing that we know.
    u64::try_from(answer.f_type).map_or(Medium::Network("unknown"), named)
}

fn named(number: u64) -> Medium {
    NETWORKS
        .iter()
        .find(|(known, _)| *known == number)
        .map_or(Medium::Local, |(_, name)| Medium::Network(name))
}

#[cfg(test)]
mod tests {
    use super::{NETWORKS, named};
    use crate::storage::Medium;

    #[test]
    fn file_systems_of_networks_are_told_from_those_of_this_machine() {
        assert_eq!(named(0x6969), Medium::Network("NFS"));
        assert_eq!(named(0x6573_5546), Medium::Network("FUSE"));
        for (local, name) in [
            (0xEF53, "ext4"),
            (0x5846_5342, "XFS"),
            (0x9123_683E, "btrfs"),
            (0x2FC1_2FC1, "ZFS"),
            (0x0102_1994, "tmpfs"),
            (0x794C_7630, "overlayfs"),
        ] {
            assert_eq!(named(local), Medium::Local, "{name}");
        }
    }

    #[test]
    fn no_number_is_listed_twice() {
        let mut numbers: Vec<_> = NETWORKS.iter().map(|(number, _)| number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), NETWORKS.len());
    }
}
