//! (map to come with the first module)
