pub(crate) fn count_call() {}
