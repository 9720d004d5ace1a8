/** Which models can answer now, and why the others cannot. */

import type { Model, Provider } from "../api/types";

/** Why a provider cannot be asked; empty when it can. */
export function providerProblem(provider: Provider | undefined): string {
  if (!provider) return "no such provider";
  if (!provider.enabled) return "provider is off";
  if (provider.healthy) return "";
  return keyless(provider) ? "no API key" : provider.detail || "provider is not ready";
}

/** Whether a key is all that a provider lacks. */
export const keyless = (provider: Provider): boolean => !provider.configured && !provider.hasKey && provider.dialect !== "local";

/** Why a model cannot answer; empty when it can. */
export function modelProblem(model: Pick<Model, "enabled" | "provider">, layerOn: boolean, providers: Map<string, Provider>): string {
  if (!model.enabled) return "off";
  if (!layerOn) return "layer is off";
  return providerProblem(providers.get(model.provider));
}
