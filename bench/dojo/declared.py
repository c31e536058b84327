"""AgentDojo's tools as their authors would declare them to zooid: what a call touches, where it goes, what it gives.

The lines are those of a docstring (docs/tools.md). They were written from the tools' own descriptions and types: a
field is outside where anybody may have written it (a body, a subject, a review, a file), it holds names where others
chose them and the tool lists what there is (users, channels, hotels, members of an event), and the rest is the tool's
own (numbers, dates, ids, the person's own address book, account and standing orders).
"""

_EMAILS = "Effect: read\nOutside: sender, recipients, cc, bcc, subject, body, attachments"
_CONTACTS = "Effect: read\nOutside: nothing"
_EVENT = "Outside: title, description, location\nNames: participants"
_FILE = "Outside: filename, content\nNames: owner, shared_with"
_CATALOGUE = "Effect: read\nNames: everything"
_REVIEWS = "Effect: read\nOutside: everything"
_OWN = "Effect: read\nOutside: nothing"

DECLARED = {
    # e-mail
    "get_unread_emails": _EMAILS,
    "get_sent_emails": _EMAILS,
    "get_received_emails": _EMAILS,
    "get_draft_emails": _EMAILS,
    "search_emails": _EMAILS,
    "search_contacts_by_name": _CONTACTS,
    "search_contacts_by_email": _CONTACTS,
    "send_email": "Effect: network\nDestinations: recipients, cc, bcc, attachments",
    "delete_email": "Effect: write\nDestinations: email_id\nOutside: nothing",
    # calendar; an event with participants is sent to them
    "get_current_day": _OWN,
    "search_calendar_events": f"Effect: read\n{_EVENT}",
    "get_day_calendar_events": f"Effect: read\n{_EVENT}",
    "create_calendar_event": f"Effect: network\nDestinations: participants\n{_EVENT}",
    "cancel_calendar_event": "Effect: network\nDestinations: event_id\nOutside: nothing",
    "reschedule_calendar_event": f"Effect: network\nDestinations: event_id\n{_EVENT}",
    "add_calendar_event_participants": f"Effect: network\nDestinations: event_id, participants\n{_EVENT}",
    # the person's files
    "search_files_by_filename": f"Effect: read\n{_FILE}",
    "search_files": f"Effect: read\n{_FILE}",
    "list_files": f"Effect: read\n{_FILE}",
    "get_file_by_id": f"Effect: read\n{_FILE}",
    "create_file": f"Effect: write\nDestinations: filename\n{_FILE}",
    "append_to_file": f"Effect: write\nDestinations: file_id\n{_FILE}",
    "delete_file": f"Effect: write\nDestinations: file_id\n{_FILE}",
    "share_file": f"Effect: network\nDestinations: file_id, email\n{_FILE}",
    # travel
    "get_user_information": _OWN,
    "get_all_hotels_in_city": _CATALOGUE,
    "get_hotels_prices": _CATALOGUE,
    "get_rating_reviews_for_hotels": _REVIEWS,
    "get_hotels_address": _CATALOGUE,
    "get_all_restaurants_in_city": _CATALOGUE,
    "get_cuisine_type_for_restaurants": _CATALOGUE,
    "get_restaurants_address": _CATALOGUE,
    "get_rating_reviews_for_restaurants": _REVIEWS,
    "get_dietary_restrictions_for_all_restaurants": _CATALOGUE,
    "get_contact_information_for_restaurants": _CATALOGUE,
    "get_price_for_restaurants": _CATALOGUE,
    "check_restaurant_opening_hours": _CATALOGUE,
    "get_all_car_rental_companies_in_city": _CATALOGUE,
    "get_car_types_available": _CATALOGUE,
    "get_rating_reviews_for_car_rental": _REVIEWS,
    "get_car_fuel_options": _CATALOGUE,
    "get_car_rental_address": _CATALOGUE,
    "get_car_price_per_day": _CATALOGUE,
    "get_flight_information": _CATALOGUE,
    "reserve_hotel": "Effect: network\nDestinations: hotel",
    "reserve_restaurant": "Effect: network\nDestinations: restaurant",
    "reserve_car_rental": "Effect: network\nDestinations: company",
    # banking; a standing order was written by the person, a transaction's subject by whoever sent it
    "get_iban": _OWN,
    "get_balance": _OWN,
    "get_user_info": _OWN,
    "get_scheduled_transactions": _OWN,
    "get_most_recent_transactions": "Effect: read\nOutside: subject\nNames: sender, recipient",
    "read_file": "Effect: read",
    "send_money": "Effect: network\nDestinations: recipient",
    "schedule_transaction": "Effect: network\nDestinations: recipient",
    "update_scheduled_transaction": "Effect: network\nDestinations: id, recipient",
    "update_password": "Effect: write\nDestinations: password",
    "update_user_info": "Effect: write\nDestinations: nothing",
    # slack
    "get_channels": _CATALOGUE,
    "get_users_in_channel": _CATALOGUE,
    "read_channel_messages": "Effect: read\nOutside: body\nNames: sender, recipient",
    "read_inbox": "Effect: read\nOutside: body\nNames: sender, recipient",
    "get_webpage": "Effect: network\nDestinations: url",
    "post_webpage": "Effect: network\nDestinations: url",
    "send_direct_message": "Effect: network\nDestinations: recipient",
    "send_channel_message": "Effect: network\nDestinations: channel",
    "add_user_to_channel": "Effect: network\nDestinations: user, channel",
    "invite_user_to_slack": "Effect: network\nDestinations: user, user_email",
    "remove_user_from_slack": "Effect: network\nDestinations: user",
}
