//! How the allocator treats freed memory.

use std::ffi::{c_int, c_long};

/// The number of `mi_option_purge_delay` in mimalloc's list of options.
const PURGE_DELAY: c_int = 15;
/// The environment variable that sets it.
const VARIABLE: &str = "MIMALLOC_PURGE_DELAY";
/// mimalloc's value for "never".
const NEVER: c_long = -1;

/// Tells mimalloc to keep freed memory instead of returning it to the system after some milliseconds.
///
/// Every matrix product allocates and frees a buffer of megabytes; with mimalloc's default, up to a fifth of a
/// training step was spent clearing new pages. Does nothing if `MIMALLOC_PURGE_DELAY` is set.
#[allow(unsafe_code)] // a setting of a C library
pub(crate) fn keep_freed_memory() {
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: the option exists in all versions of the library, and -1 is one of its documented values. The
        // call must not race with other calls that set options; nothing else in this project sets any.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, NEVER) };
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// A delay that no library uses as its default.
    const ODD: &str = "12345";

    #[test]
    #[allow(unsafe_code)] // a setting of a C library
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: reading an option has no conditions.
        let read = || unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) };
        if std::env::var(super::VARIABLE).is_ok_and(|value| value == ODD) {
            // In the process started below: the library has read the variable into the option, and the user's
            // value is kept.
            super::keep_freed_memory();
            assert_eq!(read().to_string(), ODD);
            return;
        }
        let test = "memory::tests::the_option_is_the_one_that_is_meant";
        let own = std::env::current_exe().expect("this program");
        let child = Command::new(own).args(["--exact", test]).env(super::VARIABLE, ODD).output();
        let child = child.expect("a process");
        let printed = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && printed.contains("1 passed"), "{printed}");
        if std::env::var_os(super::VARIABLE).is_none() {
            super::keep_freed_memory();
            assert_eq!(read(), super::NEVER);
        }
    }
}
