//! What is told, whatever the order of arrival, the cuts of commits and the moments of crashes.

mod examples;
mod moves;
mod shop;
