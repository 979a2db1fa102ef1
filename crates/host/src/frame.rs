//! What is there from the first moment: ports that answer, readiness, metrics.

use std::net::SocketAddr;

use axum::Router;
use foretide_http::{
    DirectRoute, Front, HttpMetrics, admin_router,
    openapi::{self, utoipa::openapi::OpenApi},
};
use foretide_runtime::{
    CancellationToken, Lifecycle, Readiness, SharedClock, prometheus::Registry,
};
use tokio::net::TcpListener;

use crate::PublicRoutes;

/// The component that is ready once the public port answers by the services.
const ROUTES: &str = "routes";

/// The routes of a service, with its bounds around them.
pub struct Routes {
    /// The routes.
    pub router: Router,
    /// Those of them that are answered in front of the router.
    pub direct: Vec<DirectRoute>,
    /// Their description.
    pub document: OpenApi,
}

/// A process whose ports answer, before anything is opened: the public one with 503, if it has one.
pub struct Frame {
    /// What it counts.
    pub registry: Registry,
    /// What is ready.
    pub readiness: Readiness,
    /// How it ends.
    pub lifecycle: Lifecycle,
    /// The time of day.
    pub clock: SharedClock,
    /// Where the operator looks.
    pub admin_address: SocketAddr,
    routes: PublicRoutes,
    closed: CancellationToken,
}

impl Frame {
    /// Answers on the admin port from now on.
    pub fn start(
        admin: TcpListener,
        lifecycle: &Lifecycle,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        let (registry, readiness) = (Registry::new(), Readiness::new());
        let admin_address = admin.local_addr()?;
        let router = admin_router(registry.clone(), readiness.clone());
        lifecycle.spawn(
            "admin port",
            foretide_http::serve(admin, router, lifecycle.clone()),
        );
        Ok(Self {
            registry,
            readiness,
            lifecycle: lifecycle.clone(),
            clock,
            admin_address,
            routes: PublicRoutes::default(),
            closed: CancellationToken::new(),
        })
    }

    /// Answers on the public port from now on, with 503 until [`Self::wire`].
    pub fn open_public(&self, public: TcpListener) {
        // Or a process would say that it is ready while it still refuses everything.
        self.readiness.component(ROUTES);
        let serving = foretide_http::serve(public, self.routes.clone(), self.lifecycle.clone());
        let closed = self.closed.clone();
        self.lifecycle.spawn("public port", async move {
            let ended = serving.await;
            closed.cancel();
            ended
        });
    }

    /// Answers on the public port by the routes of these services from now on, and with their description at
    /// `/openapi.json`.
    pub fn wire(&self, services: Vec<Routes>) -> anyhow::Result<()> {
        let metrics = HttpMetrics::register(&self.registry)?;
        let (mut public, mut front, mut documents) = (Router::new(), Vec::new(), Vec::new());
        for service in services {
            public = public.merge(service.router);
            front.extend(service.direct);
            documents.push(service.document);
        }
        let public = public.merge(openapi::route(documents));
        self.routes.wire(Front::new(public, front, metrics));
        self.readiness.component(ROUTES).ready();
        Ok(())
    }

    /// Cancelled when the last request has been answered.
    pub fn closed(&self) -> &CancellationToken {
        &self.closed
    }
}
