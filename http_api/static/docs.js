"use strict";

// Shows /openapi.json. Everything from it becomes a text node, never markup.

const METHODS = ["get", "post", "put", "delete"];

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function resolve(document_, schema) {
  let found = schema || {};
  for (let hops = 0; found.$ref && hops < 10; hops += 1) {
    found = found.$ref.split("/").slice(1).reduce((place, part) => (place || {})[part], document_) || {};
  }
  return found;
}

function nameOf(schema) {
  return schema.$ref.split("/").pop();
}

function typeOf(schema) {
  if (!schema) return "any";
  if (schema.$ref) return nameOf(schema);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf || schema.oneOf;
  if (choices) return choices.map(typeOf).join(" | ");
  if (schema.type === "array") return typeOf(schema.items) + "[]";
  return schema.type || "any";
}

function limitsOf(schema) {
  const notes = [];
  const known = ["default", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern"];
  for (const key of known) if (schema[key] !== undefined && schema[key] !== null) notes.push(`${key} ${JSON.stringify(schema[key])}`);
  return notes.join(", ");
}

function fieldRow(name, schema, required, place) {
  return element("tr", {},
    element("td", {}, element("code", {}, name)),
    element("td", {}, [place, required ? "required" : ""].filter(Boolean).join(", ")),
    element("td", {}, element("code", {}, typeOf(schema))),
    element("td", {}, [schema.description, limitsOf(schema)].filter(Boolean).join(" · ")));
}

function fields(document_, schema) {
  const found = resolve(document_, schema);
  const choices = found.anyOf || found.oneOf;
  if (choices) {
    const box = element("div", {});
    choices.forEach((choice) => box.append(element("p", {}, element("code", {}, typeOf(choice))), fields(document_, choice)));
    return box;
  }
  const rows = Object.entries(found.properties || {}).map(([name, property]) =>
    fieldRow(name, property, (found.required || []).includes(name), ""));
  return rows.length ? element("table", {}, element("tbody", {}, ...rows)) : element("p", {}, element("code", {}, typeOf(found)));
}

function curl(path, method, body) {
  const lines = [`curl ${method === "get" ? "" : `-X ${method.toUpperCase()} `}${location.origin}${path}`];
  if (body) lines.push("  -H 'Content-Type: application/json'", `  -d '${JSON.stringify(body)}'`);
  return lines.join(" \\\n");
}

function sample(document_, schema, depth) {
  const found = resolve(document_, schema);
  if (found.default !== undefined) return found.default;
  if (found.const !== undefined) return found.const;
  if (found.enum) return found.enum[0];
  const choices = found.anyOf || found.oneOf;
  if (choices) return sample(document_, choices[0], depth);
  if (found.type === "object" || found.properties) {
    const made = {};
    if (depth > 3) return made;
    for (const name of found.required || []) made[name] = sample(document_, (found.properties || {})[name], depth + 1);
    return made;
  }
  return { string: "…", integer: 1, number: 1, boolean: true, array: [] }[found.type] ?? null;
}

function operation(document_, path, method, described) {
  const content = [];
  if (described.description) content.push(element("p", {}, described.description));
  const parameters = (described.parameters || []).map((parameter) =>
    fieldRow(parameter.name, { description: parameter.description, ...parameter.schema }, parameter.required, parameter.in));
  if (parameters.length) content.push(element("h3", {}, "Parameters"), element("table", {}, element("tbody", {}, ...parameters)));
  const media = described.requestBody?.content?.["application/json"];
  if (media) content.push(element("h3", {}, "Request body"), fields(document_, media.schema));
  content.push(element("pre", {}, curl(path, method, media ? media.example ?? sample(document_, media.schema, 0) : null)));
  for (const [status, answer] of Object.entries(described.responses || {})) {
    const found = resolve(document_, answer);
    content.push(element("h3", {}, `${status} · ${found.description || ""}`));
    for (const [kind, body] of Object.entries(found.content || {})) {
      content.push(body.schema && kind === "application/json" ? fields(document_, body.schema) : element("p", {}, element("code", {}, kind)));
    }
  }
  const heading = element("summary", {},
    element("span", { class: `method ${method}` }, method.toUpperCase()),
    element("span", { class: "path" }, path),
    element("span", { class: "summary" }, described.summary || ""));
  const made = element("details", {}, heading);
  made.dataset.words = `${method} ${path} ${described.summary || ""}`.toLowerCase();
  made.addEventListener("toggle", () => { if (made.open && made.childElementCount === 1) made.append(...content); });
  return made;
}

function show(document_) {
  document.getElementById("title").textContent = `${document_.info.title} ${document_.info.version}`;
  document.getElementById("introduction").textContent = document_.info.description;
  const groups = new Map();
  for (const [path, methods] of Object.entries(document_.paths)) {
    for (const method of METHODS.filter((name) => methods[name])) {
      const tag = (methods[method].tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(operation(document_, path, method, methods[method]));
    }
  }
  for (const [tag, operations] of groups) {
    document.getElementById("tags").append(element("a", { href: `#${tag}` }, tag));
    document.getElementById("operations").append(element("section", { id: tag }, element("h2", {}, tag), ...operations));
  }
}

function filter(words) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  for (const section of document.querySelectorAll("section")) {
    let visible = 0;
    for (const item of section.querySelectorAll("details")) {
      item.hidden = !wanted.every((word) => item.dataset.words.includes(word));
      visible += item.hidden ? 0 : 1;
    }
    section.hidden = visible === 0;
  }
}

document.getElementById("filter").addEventListener("input", (event) => filter(event.target.value));
fetch("/openapi.json")
  .then((answer) => { if (!answer.ok) throw new Error(`HTTP ${answer.status}`); return answer.json(); })
  .then(show)
  .catch((error) => { document.getElementById("introduction").textContent = `/openapi.json could not be read: ${error.message}`; });
