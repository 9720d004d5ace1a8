/** All views, in the order of the navigation. Those with large libraries are loaded on demand. */

import type { ComponentType } from "preact";
import { m } from "../messages";
import type { Scope } from "./context";
import { Approvals } from "../views/approvals";
import { Audit } from "../views/audit";
import { Budgets } from "../views/budgets";
import { Decisions } from "../views/decisions";
import { Keys } from "../views/keys";
import { Models } from "../views/models";
import { Overview } from "../views/overview";
import { Policy } from "../views/policy";
import { Providers } from "../views/providers";
import { Settings } from "../views/settings";
import { lazy } from "./lazy";

export interface ViewProps {
  rest: string[];
  query: URLSearchParams;
}

export interface View {
  id: string;
  title: string;
  scope: Scope;
  Body: ComponentType<ViewProps>;
  /** A view without the page's own heading and width. */
  bare?: boolean;
}

export const VIEWS: View[] = [
  { id: "overview", title: m.views.overview, scope: "models:read", Body: Overview },
  { id: "chat", title: m.views.chat, scope: "chat", Body: lazy(() => import("../views/chat").then((module) => module.Chat)), bare: true },
  { id: "models", title: m.views.models, scope: "models:read", Body: Models },
  { id: "terminals", title: m.views.terminals, scope: "terminal", Body: lazy(() => import("../views/terminals").then((module) => module.Terminals)) },
  { id: "approvals", title: m.views.approvals, scope: "admin", Body: Approvals },
  { id: "usage", title: m.views.usage, scope: "models:read", Body: lazy(() => import("../views/usage").then((module) => module.Usage)) },
  { id: "budgets", title: m.views.budgets, scope: "models:read", Body: Budgets },
  { id: "keys", title: m.views.keys, scope: "admin", Body: Keys },
  { id: "providers", title: m.views.providers, scope: "models:read", Body: Providers },
  { id: "policy", title: m.views.policy, scope: "admin", Body: Policy },
  { id: "decisions", title: m.views.decisions, scope: "models:read", Body: Decisions },
  { id: "audit", title: m.views.audit, scope: "admin", Body: Audit },
  { id: "settings", title: m.views.settings, scope: "models:read", Body: Settings },
];
