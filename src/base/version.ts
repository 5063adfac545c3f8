/** The package's version. A test compares it with package.json: reading that file at run time would cost every start. */
export const packageVersion: string = '0.1.0';
