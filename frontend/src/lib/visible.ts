/** Characters that are not seen, or that change the order of text, are written as their codes, so that no name looks like another one. */

import { Fragment, options, type VNode } from "preact";

const UNSEEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

export const visible = (text: string): string => text.replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Write every text of the page that way. */
export function showUnseen(): void {
  const before = options.vnode;
  options.vnode = (vnode: VNode) => {
    const props = vnode.props as { children?: unknown };
    if ((typeof vnode.type === "string" || vnode.type === Fragment) && props.children !== undefined) props.children = legible(props.children);
    before?.(vnode);
  };
}

function legible(child: unknown): unknown {
  if (typeof child === "string") return visible(child);
  return Array.isArray(child) ? child.map(legible) : child;
}
