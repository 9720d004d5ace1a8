/** One streamed answer: text, reasoning, tool calls and how it was routed, told once a frame. */

import { ApiError, call } from "../api/client";
import { eventsOf } from "../api/events";

export interface ToolCall {
  name: string;
  arguments: string;
}

export interface Answer {
  text: string;
  reasoning: string;
  tools: ToolCall[];
  requestId: string;
  model: string;
  layer: string;
  attempts: string;
  cache: string;
  cost: number | null | undefined;
  promptTokens: number;
  completionTokens: number;
  seconds: number;
  firstSeconds: number;
  finish: string;
}

export const empty = (): Answer => ({ text: "", reasoning: "", tools: [], requestId: "", model: "", layer: "", attempts: "", cache: "", cost: undefined, promptTokens: 0, completionTokens: 0, seconds: 0, firstSeconds: 0, finish: "" });

interface Delta {
  content?: string;
  reasoning_content?: string;
  tool_calls?: { index?: number; function?: { name?: string; arguments?: string } }[];
}

interface Event {
  error?: { message: string; code?: string };
  usage?: { prompt_tokens: number; completion_tokens: number; cost?: number | null };
  choices?: { delta?: Delta; finish_reason?: string | null }[];
}

/** Stream an answer; `told` is called at most once a frame with what there is so far. */
export async function stream(body: object, signal: AbortSignal, told: (answer: Answer) => void): Promise<Answer> {
  const answer = empty();
  const began = performance.now();
  let waiting = 0;
  const tell = () => {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      told({ ...answer });
    });
  };
  try {
    const reply = await call("POST", "/v1/chat/completions", { body: { ...body, stream: true, stream_options: { include_usage: true } }, signal, accept: "text/event-stream" });
    const header = (name: string) => reply.headers.get(name) ?? "";
    Object.assign(answer, { requestId: header("x-request-id"), model: header("x-gateway-model"), layer: header("x-gateway-layer"), attempts: header("x-gateway-attempts"), cache: header("x-gateway-cache") });
    for await (const data of eventsOf(reply)) {
      if (data === "[DONE]") break;
      const event = JSON.parse(data) as Event;
      if (event.error) throw new ApiError(502, event.error.message, { code: event.error.code, requestId: answer.requestId });
      take(answer, event, (performance.now() - began) / 1000);
      tell();
    }
  } finally {
    cancelAnimationFrame(waiting);
    answer.seconds = (performance.now() - began) / 1000;
    told({ ...answer });
  }
  return answer;
}

export function take(answer: Answer, event: Event, seconds: number): void {
  if (event.usage) Object.assign(answer, { promptTokens: event.usage.prompt_tokens, completionTokens: event.usage.completion_tokens, ...("cost" in event.usage ? { cost: event.usage.cost } : {}) });
  const choice = event.choices?.[0];
  const delta = choice?.delta;
  if (choice?.finish_reason) answer.finish = choice.finish_reason;
  if (!delta) return;
  if (!answer.firstSeconds && (delta.content || delta.reasoning_content || delta.tool_calls)) answer.firstSeconds = seconds;
  answer.reasoning += delta.reasoning_content ?? "";
  answer.text += delta.content ?? "";
  for (const piece of delta.tool_calls ?? []) {
    const at = piece.index ?? 0;
    const before = answer.tools[at] ?? { name: "", arguments: "" };
    answer.tools[at] = { name: before.name + (piece.function?.name ?? ""), arguments: before.arguments + (piece.function?.arguments ?? "") };
  }
}
