import tseslint from "typescript-eslint";

const markup = ["innerHTML", "outerHTML", "insertAdjacentHTML", "dangerouslySetInnerHTML"];

export default tseslint.config(
  { ignores: ["src/api/schema.ts"] },
  ...tseslint.configs.recommended,
  {
    rules: {
      "no-restricted-syntax": ["error",
        ...markup.map((name) => ({ selector: `Identifier[name='${name}'], JSXIdentifier[name='${name}']`, message: "Text never becomes markup." })),
        { selector: "CallExpression[callee.name='eval'], NewExpression[callee.name='Function']", message: "Text never becomes code." },
      ],
    },
  },
);
