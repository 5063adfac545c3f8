/**
 * A mark on an options object that says where a connection made with it goes, whatever scope is current when it is made.
 * Agents and pools copy their options around and connect later, from anywhere; the mark travels with the copies.
 */

/** Registered, so that two copies of the package read each other's marks. The value: a scope, or `MARKED_LOCAL`. */
export const ROUTE: unique symbol = Symbol.for('elsewhere.route');

export const MARKED_LOCAL = 'local';
