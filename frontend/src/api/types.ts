/** Short names for the generated types of the API. */

import type { components } from "./schema";

type Schemas = components["schemas"];
export type Alert = Schemas["Alert"];
export type AliasTable = Schemas["AliasTable"];
export type ApiKey = Schemas["ApiKey"];
export type MadeApiKey = Schemas["MadeApiKey"];
export type Approval = Schemas["Approval"];
export type AuditEntry = Schemas["AuditEntry"];
export type AuditPage = Schemas["AuditPage"];
export type AuthStatus = Schemas["AuthStatus"];
export type Budget = Schemas["BudgetStanding"];
export type Connection = Schemas["ConnectionInfo"];
export type Configuration = Schemas["Configuration"];
export type Health = Schemas["HealthReport"];
export type LayerState = Schemas["LayerState"];
export type Model = Schemas["ListedModel"];
export type Login = Schemas["PendingLogin"];
export type PolicyState = Schemas["PolicyState"];
export type Provider = Schemas["ProviderState"];
export type Recording = Schemas["RecordingInfo"];
export type RouteExplanation = Schemas["RouteExplanation"];
export type Session = Schemas["SessionInfo"];
export type Stats = Schemas["Stats"];
export type StoredDecision = Schemas["StoredDecision"];
export type TraceStory = Schemas["TraceStory"];
export type UsageGroup = Schemas["UsageGroup"];
export type UsageReport = Schemas["UsageReport"];
export type Verdict = Schemas["CommandVerdict"];
export type FileInfo = Schemas["FileInfo"];
