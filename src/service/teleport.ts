/** Functions as source text: what of a function can be sent, and what its failures mean. */

type Fn = (...args: unknown[]) => unknown;

/** Source that can be compiled elsewhere. Throws TypeError for what has none. */
export function sourceOf(fn: unknown): string {
  if (typeof fn !== 'function') throw new TypeError('teleport and run need a function');
  const source = Function.prototype.toString.call(fn);
  if (/\{\s*\[native code\]\s*\}\s*$/.test(source))
    throw new TypeError(
      `${fn.name || 'the function'} has no source to send (it is native, bound, or a reference): send a function that calls it`,
    );
  return source;
}

/** Methods and accessors are no expressions by themselves. */
export function functionSource(source: string, compile: (form: string) => Fn): Fn {
  try {
    const fn: unknown = compile(source);
    if (typeof fn === 'function') return fn as Fn;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const holder = compile(`{ ${source} }`) as unknown as Record<string, unknown>;
  const method = Object.values(holder)[0];
  if (typeof method !== 'function') throw new TypeError('what was sent is no function');
  return method as Fn;
}

/** Says what a missing name means here. */
export function explainFreeVariable(fn: Fn): Fn {
  // A class is used with `new`.
  if (/^class\b/.test(Function.prototype.toString.call(fn))) return fn;
  return new Proxy(fn, {
    apply(target, self, args) {
      let result: unknown;
      try {
        result = Reflect.apply(target, self, args);
      } catch (error) {
        throw explained(error);
      }
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => {
        throw explained(error);
      });
    },
  });
}

function explained(error: unknown): unknown {
  if (!(error instanceof ReferenceError)) return error;
  const name = /^(\S+) is not defined$/.exec(error.message)?.[1];
  if (name === undefined) return error;
  error.message = `${name} is not defined on the far side: a function that is sent takes none of the variables around it along; hand it over: teleport(fn, { captures: { ${name} } }), or as an argument of run`;
  return error;
}
