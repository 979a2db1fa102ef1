//! Every kind of action a shopper can take (M1), each a struct of its own with the fields that matter for its kind.
//!
//! On the wire an action is one flat JSON object whose `type` names the kind in snake case. Unknown members are
//! ignored, so that a newer sender can talk to an older service.

mod beyond;
mod browse;
mod cart;
mod content;
mod order;
mod person;
mod product;
mod social;

use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{List, Text};

pub use beyond::{Conversion, Custom, Enrichment, Reading};
pub use browse::{
    Filter, PageView, ProductClick, ProductListFilter, ProductListView, ProductView, Search,
};
pub use cart::{CartAdd, CartRemove, CartView, WishlistChange};
pub use content::{ContentInteraction, ContentKind, CouponAttempt, CouponOutcome, Interaction};
pub use order::{CheckoutStep, Order, StepProgress, ValueBasis};
pub use person::{Alias, Group, Identify};
pub use product::Product;
pub use social::{Review, Share};

/// An identifier given by the shop: product, order, cart, coupon, list, content.
pub type ShopId = Text<128>;
/// A short human text: a name, a brand, a variant, a reason.
pub type Label = Text<256>;
/// A longer human text: a search query, a path.
pub type Phrase = Text<1024>;
/// The products of a list, a cart or an order.
pub type Products = List<Product, 500>;
/// The filters or sorts of a list.
pub type Filters = List<Filter, 50>;
/// The named numbers of a custom action or of enrichment.
pub type Readings = List<Reading, 50>;

/// Defines the kinds of actions once: the enum, its names, and reading and writing by name.
macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $name:literal => $kind:ident($fields:ty),)+) => {
        /// What a shopper did.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "type")]
        pub enum Action {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $kind($fields),)+
        }

        /// The kind of an action: its `type` on the wire.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ActionType {
            $($(#[doc = $doc])+ $kind,)+
        }

        impl Action {
            /// Its kind.
            pub fn action_type(&self) -> ActionType {
                match self {
                    $(Self::$kind(_) => ActionType::$kind,)+
                }
            }

            /// Lets `visitor` see its fields, which are a struct of another type for each kind.
            pub(crate) fn visit_fields<V: FieldsVisitor>(&self, visitor: V) -> V::Output {
                match self {
                    $(Self::$kind(fields) => visitor.visit(fields),)+
                }
            }
        }

        impl ActionType {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// Its stable name: the `type` on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// The kind of that name, if there is one.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$kind),)+
                    _ => None,
                }
            }

            /// What it says, for the schema.
            pub(crate) fn description(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// Reads the fields of an action of this kind.
            pub(crate) fn read_fields<'de, D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Action, D::Error> {
                match self {
                    $(Self::$kind => <$fields>::deserialize(deserializer).map(Action::$kind),)+
                }
            }

            /// The schema of its fields.
            pub(crate) fn fields_schema(self, generator: &mut SchemaGenerator) -> Schema {
                match self {
                    $(Self::$kind => generator.subschema_for::<$fields>(),)+
                }
            }
        }
    };
}

/// Sees the fields of an action, whatever their type.
pub(crate) trait FieldsVisitor {
    /// What the visit yields.
    type Output;

    /// Sees `fields`.
    fn visit<T: Serialize>(self, fields: &T) -> Self::Output;
}

actions! {
    /// A page or screen was looked at.
    "page_view" => PageView(PageView),
    /// The shopper searched.
    "search" => Search(Search),
    /// A list of products (a category, a collection) was shown.
    "product_list_view" => ProductListView(ProductListView),
    /// A list of products was filtered or sorted.
    "product_list_filter" => ProductListFilter(ProductListFilter),
    /// A product in a list was clicked.
    "product_click" => ProductClick(ProductClick),
    /// A product's own page was looked at.
    "product_view" => ProductView(ProductView),
    /// Something was put into the cart.
    "cart_add" => CartAdd(CartAdd),
    /// Something was taken out of the cart.
    "cart_remove" => CartRemove(CartRemove),
    /// The cart was looked at.
    "cart_view" => CartView(CartView),
    /// A product was put on a wishlist.
    "wishlist_add" => WishlistAdd(WishlistChange),
    /// A product was taken off a wishlist.
    "wishlist_remove" => WishlistRemove(WishlistChange),
    /// A coupon was entered, applied, denied or removed.
    "coupon_attempt" => CouponAttempt(CouponAttempt),
    /// Dynamic content (a recommendation, a banner, an offer) was shown, clicked or dismissed.
    "content_interaction" => ContentInteraction(ContentInteraction),
    /// Checkout began.
    "checkout_start" => CheckoutStart(Order),
    /// A step of the checkout was viewed or completed.
    "checkout_step" => CheckoutStep(CheckoutStep),
    /// Payment details were entered.
    "payment_info" => PaymentInfo(CheckoutStep),
    /// An order was completed.
    "purchase" => Purchase(Order),
    /// A completed order was corrected.
    "order_update" => OrderUpdate(Order),
    /// An order was refunded, whole or in part.
    "refund" => Refund(Order),
    /// An order was cancelled.
    "cancel" => Cancel(Order),
    /// A product or a cart was shared. The recipient is never kept.
    "share" => Share(Share),
    /// A product was reviewed. The text is never kept.
    "review" => Review(Review),
    /// The shopper was identified. Traits that are personal data are never kept.
    "identify" => Identify(Identify),
    /// The shopper was put into a group (an account, a club).
    "group" => Group(Group),
    /// Two ids were said to be one shopper.
    "alias" => Alias(Alias),
    /// Something completed outside the shop's site: a store purchase, an application, a service.
    "conversion" => Conversion(Conversion),
    /// Knowledge about the shopper from elsewhere.
    "enrichment" => Enrichment(Enrichment),
    /// Any other tracked action.
    "custom" => Custom(Custom),
}

impl Action {
    /// The product of an action that is about one product and says nothing without it.
    pub fn needed_product(&self) -> Option<&Product> {
        match self {
            Self::ProductClick(ProductClick { product, .. })
            | Self::ProductView(ProductView { product, .. })
            | Self::CartAdd(CartAdd { product, .. })
            | Self::CartRemove(CartRemove { product, .. })
            | Self::WishlistAdd(WishlistChange { product, .. })
            | Self::WishlistRemove(WishlistChange { product, .. }) => Some(product),
            _ => None,
        }
    }
}

impl ActionType {
    /// Whether an action of this kind is about one product and says nothing without it.
    pub fn needs_product(self) -> bool {
        matches!(
            self,
            Self::ProductClick
                | Self::ProductView
                | Self::CartAdd
                | Self::CartRemove
                | Self::WishlistAdd
                | Self::WishlistRemove
        )
    }
}
