//! Has dnsmasq read what was written for it?

use std::path::Path;

use super::Finding;
use crate::admission::dnsmasq::has_not_read;

pub fn check(dir: &Path, pid_file: &Path) -> Finding {
    const CHECK: &str = "dnsmasq";
    if !pid_file.exists() {
        return Finding::bad(
            CHECK,
            format!(
                "{} is not there: it does not run, or writes another",
                pid_file.display()
            ),
            "start dnsmasq, or set admission.dnsmasq.pid_file to its pid-file",
        );
    }
    if has_not_read(dir, pid_file) {
        return Finding::bad(
            CHECK,
            format!(
                "it was started before {} was written",
                dir.join("maitred.conf").display()
            ),
            "restart dnsmasq; admission.dnsmasq.restart does so by itself",
        );
    }
    Finding::good(CHECK, "it was started with the newest settings")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_dnsmasq_that_is_older_than_its_settings_has_to_be_restarted() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        assert_eq!(check(dir.path(), &pid_file).health, Health::Bad);
        fs_err::write(&pid_file, "1").unwrap();
        assert_eq!(check(dir.path(), &pid_file).health, Health::Good);
        let conf = fs_err::File::create(dir.path().join("maitred.conf")).unwrap();
        let later = fs_err::metadata(&pid_file).unwrap().modified().unwrap()
            + std::time::Duration::from_secs(1);
        conf.into_parts().0.set_modified(later).unwrap();
        assert_eq!(check(dir.path(), &pid_file).health, Health::Bad);
    }
}
