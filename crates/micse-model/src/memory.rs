//! What a command's allocator does with freed memory.

use std::ffi::{c_int, c_long};

/// `mi_option_purge_delay` of mimalloc's list of options.
const PURGE_DELAY: c_int = 15;
/// The variable by which mimalloc is told otherwise.
const VARIABLE: &str = "MIMALLOC_PURGE_DELAY";
/// mimalloc's word for never.
const NEVER: c_long = -1;

/// Tells mimalloc to keep freed memory instead of giving it back to the system after some milliseconds.
///
/// Every matrix product takes a buffer of megabytes and frees it again; with the default, up to a fifth of a
/// training step went into clearing new pages. Does nothing where `MIMALLOC_PURGE_DELAY` is set, or where the
/// process has another allocator.
#[allow(unsafe_code)] // a setting of a C library
pub(crate) fn keep_freed_memory() {
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: the option exists in all versions of the library, and -1 is one of its documented values. The
        // call must not race with other settings of options; nothing else in this project sets any.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, NEVER) };
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[allow(unsafe_code)] // a setting of a C library
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: reading an option has no conditions.
        let read = || unsafe { libmimalloc_sys::mi_option_get(super::PURGE_DELAY) };
        // The default is a number of milliseconds, which no option beside this one has.
        let before = read();
        assert!(before == 10 || before == 1000, "{before}");
        super::keep_freed_memory();
        assert_eq!(read(), super::NEVER);
    }
}
