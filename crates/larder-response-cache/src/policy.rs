use http::{HeaderMap, HeaderName};

use crate::engine::{CacheControl, Profile, directives};

/// How one layer reads what responses say.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResponsePolicy {
    pub(crate) profile: Profile,
    /// Fields that speak to this cache before `Cache-Control` does.
    pub(crate) targeted: Box<[HeaderName]>,
    /// Where a response names its tags.
    pub(crate) tag_field: Option<HeaderName>,
}

impl ResponsePolicy {
    pub(crate) fn directives(&self, response: &HeaderMap) -> CacheControl {
        let mut said = directives(self.profile, &self.targeted, response);
        if let Some(field) = &self.tag_field {
            said.keep(field);
        }
        said
    }
}
