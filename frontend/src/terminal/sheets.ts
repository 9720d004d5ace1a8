/** Styles that xterm.js writes as elements and attributes are set through the CSSOM, since the page's policy refuses them inline. */

const createElement = document.createElement.bind(document) as (tag: string, options?: ElementCreationOptions) => HTMLElement;
const setAttribute = Element.prototype.setAttribute;

/** Stands where a style element would be; its text becomes a style sheet of the document. */
function styleElement(): HTMLElement {
  const node = createElement("span");
  const sheet = new CSSStyleSheet();
  node.hidden = true;
  Object.defineProperty(node, "textContent", {
    get: () => "",
    set: (text: string) => {
      sheet.replaceSync(text);
      if (!document.adoptedStyleSheets.includes(sheet)) document.adoptedStyleSheets.push(sheet);
    },
  });
  node.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    HTMLElement.prototype.remove.call(node);
  };
  return node;
}

/** Call once, before the first terminal is made. */
export function styleThroughCssom(): void {
  document.createElement = ((tag: string, options?: ElementCreationOptions) => (tag === "style" ? styleElement() : createElement(tag, options))) as typeof document.createElement;
  Element.prototype.setAttribute = function (this: Element, name: string, value: string) {
    if (name === "style" && this instanceof HTMLElement) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}
