import { expect, test } from "vitest";
import { placeOf } from "./router";

test("an address names a view and an object, whose slashes are encoded", () => {
  const place = placeOf({ pathname: "/dashboard/next/models/a%2Fb%3Ac", search: "?q=x" }, "/dashboard/next");
  expect([place.view, place.rest, place.query.get("q")]).toEqual(["models", ["a/b:c"], "x"]);
  expect(placeOf({ pathname: "/dashboard/next/", search: "" }, "/dashboard/next").view).toBe("");
});
