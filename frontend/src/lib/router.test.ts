import { expect, test } from "vitest";
import { placeOf } from "./router";

test("an address names a view and an object, whose slashes are encoded", () => {
  const place = placeOf({ pathname: "/dashboard/models/a%2Fb%3Ac", search: "?q=x" }, "/dashboard");
  expect([place.view, place.rest, place.query.get("q")]).toEqual(["models", ["a/b:c"], "x"]);
  expect(placeOf({ pathname: "/dashboard/", search: "" }, "/dashboard").view).toBe("");
});
