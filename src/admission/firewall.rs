//! The seam to whatever enforces the wall.

use std::sync::Arc;

use super::plan::Plan;

/// Enforces who may pass. One implementation keeps a list and touches no kernel ([`super::dry`]).
pub trait Firewall: Send + Sync + 'static {
    fn apply(&self, plan: &Plan);
}

impl<F: Firewall> Firewall for Arc<F> {
    fn apply(&self, plan: &Plan) {
        self.as_ref().apply(plan);
    }
}
