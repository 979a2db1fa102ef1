//! Actions as `POST /v1/actions` takes them.

use foretide_events::{ActionType, EpochMs};

use super::{Writer, json::Json};
use crate::{Act, Action};

impl Writer<'_> {
    pub(super) fn native(self, action: &Action, at: EpochMs, json: &mut Json<'_>) {
        let Action {
            identity,
            visit,
            number,
            ..
        } = *action;
        let shopper = identity.shopper;
        json.object(|json| {
            json.text("type", kind(&action.act).as_str());
            self.fields(action, json);
            json.made("id", |to| {
                self.names.write_tagged(&[shopper, visit, number], to);
            });
            json.text("at", &at.to_string());
            json.inner("shopper", |json| {
                if identity.user {
                    json.made("user_id", |to| self.names.write_user(shopper, to));
                }
                if let Some(device) = identity.device {
                    json.made("anonymous_id", |to| {
                        self.names.write_device(shopper, device, to);
                    });
                }
            });
            if action.act.is_on_site() {
                json.made("session", |to| {
                    self.names.write_tagged(&[shopper, visit], to);
                });
            }
        });
    }
}

fn kind(act: &Act) -> ActionType {
    match act {
        Act::Page { .. } => ActionType::PageView,
        Act::Search { .. } => ActionType::Search,
        Act::List { .. } => ActionType::ProductListView,
        Act::Filter { .. } => ActionType::ProductListFilter,
        Act::Click { .. } => ActionType::ProductClick,
        Act::View { .. } => ActionType::ProductView,
        Act::Wish(_) => ActionType::WishlistAdd,
        Act::Unwish(_) => ActionType::WishlistRemove,
        Act::Add { .. } => ActionType::CartAdd,
        Act::Remove(_) => ActionType::CartRemove,
        Act::LookAtCart(_) => ActionType::CartView,
        Act::Coupon { .. } => ActionType::CouponAttempt,
        Act::StartCheckout(_) => ActionType::CheckoutStart,
        Act::Step { .. } => ActionType::CheckoutStep,
        Act::EnterPayment => ActionType::PaymentInfo,
        Act::Buy(_) => ActionType::Purchase,
        Act::Refund { .. } => ActionType::Refund,
        Act::Cancel { .. } => ActionType::Cancel,
        Act::BuyInStore { .. } => ActionType::Conversion,
        Act::SignIn => ActionType::Identify,
        Act::Content { .. } => ActionType::ContentInteraction,
        Act::Share(_) => ActionType::Share,
        Act::Review { .. } => ActionType::Review,
    }
}
