// A shared conversation: there is nothing to do but to read, and to copy code and tables.
import "./copy.js";
import { decorate } from "./decorate.js";
import "./tables.js";
import { listenToWrapping } from "./wrap.js";

listenToWrapping((change) => change());
decorate(document);
