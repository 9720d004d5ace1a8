/** A component whose code is loaded when it is first shown. */

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { m } from "../messages";
import { ErrorBox, Quiet } from "../ui/kit";

export function lazy<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let found: ComponentType<Props> | null = null;
  return function Lazy(props: Props) {
    const [error, setError] = useState<unknown>(null);
    const [, again] = useState({});
    const start = async () => {
      setError(null);
      await load().then((component) => { found = component; again({}); }, () => setError(new Error(m.notLoaded)));
    };
    useEffect(() => { if (!found) void start(); }, []);
    if (error) return <ErrorBox error={error} retry={start} />;
    if (!found) return <Quiet>{m.loading}</Quiet>;
    const Found = found;
    return <Found {...props} />;
  };
}
